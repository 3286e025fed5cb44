#pragma once

/// \file
/// The function that a product applies to its outputs.

#include "halfstep/config.hpp"
#include "halfstep/simd/gelu.hpp"
#include "halfstep/simd/math.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// max(0, x); NaN stays NaN.
struct Relu {};
/// The exact GELU, `x / 2 * (1 + erf(x / sqrt(2)))`, to the error that simd/gelu.hpp states.
struct Gelu {};
/// `x / (1 + exp(-x))`, to the error that simd/gelu.hpp states.
struct Silu {};

/// The function applied to each output after the bias. Converts from `Relu{}`, `Gelu{}`, `Silu{}`; none by default.
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
[[nodiscard, gnu::always_inline]] inline T apply_epilogue(Epilogue::Kind kind, T x) {
  switch (kind) {
    case Epilogue::Kind::relu:
      return simd::max(T(0.0f), x);  // x where either is NaN: NaN goes through
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
