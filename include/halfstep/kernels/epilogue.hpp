#pragma once

/// \file
/// What happens to an output between the sum and the store: bias, activation function, residual.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/gelu.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

namespace halfstep::inline HALFSTEP_ABI {

struct Relu {};
/// The exact GELU, `x / 2 * (1 + erf(x / sqrt(2)))`, to the error that simd/gelu.hpp states.
struct Gelu {};
struct Silu {};

/// The function applied to each output after the bias. Converts from `Relu{}`, `Gelu{}`, `Silu{}`.
class Epilogue {
 public:
  enum class Kind { none, relu, gelu, silu };
  constexpr Epilogue() = default;
  constexpr Epilogue(Relu) : kind_(Kind::relu) {}  // NOLINT(google-explicit-constructor): options by name
  constexpr Epilogue(Gelu) : kind_(Kind::gelu) {}  // NOLINT(google-explicit-constructor)
  constexpr Epilogue(Silu) : kind_(Kind::silu) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr Kind kind() const { return kind_; }

 private:
  Kind kind_ = Kind::none;
};

/// The function of `kind`, lane by lane. Class: ordered.
template <simd::FloatLanes T>
[[nodiscard]] T apply_epilogue(Epilogue::Kind kind, T x) {
  switch (kind) {
    case Epilogue::Kind::relu:
      return simd::max(T(0.0f), x);  // this order lets NaN through
    case Epilogue::Kind::gelu:
      return simd::gelu(x);
    case Epilogue::Kind::silu:
      return simd::silu(x);
    case Epilogue::Kind::none:
      break;
  }
  return x;
}

}  // namespace halfstep::inline HALFSTEP_ABI
