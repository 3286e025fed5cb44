#pragma once

/// \file
/// How activations become codes: one quantizer for the whole tensor, or one fitted to each row as it comes.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/encode_row.hpp"
#include "halfstep/kernels/row_range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether every element is a number; looks at the bits, so that it works under -ffast-math. Class: exact.
[[nodiscard]] inline bool row_is_finite(const float* x, Index n) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (simd::count_true(simd::is_finite(simd::load<simd::FloatBatch>(x + i))) != static_cast<int>(lanes)) return false;
  }
  for (; i < n; ++i) {
    if (!simd::is_finite(x[i])) return false;
  }
  return true;
}

/// The rule that encodes a row of activations. Any scalar quantizer converts to one (static: the same parameters for
/// every row); `per_token` fits a quantizer to each row's own range (dynamic). A value without template parameters, so
/// that options and layers can hold it; copying it is cheap, and const use is safe from any number of threads.
class Activation {
 public:
  /// Unit and zero of a row's lowering. The unit is NaN where the row holds a value that is not finite.
  struct RowScale {
    float unit = 1;
    float zero = 0;
  };

  /// 8 bits, affine, fitted to each row.
  Activation() : Activation(per_token<Uniform<8>>()) {}

  /// The same quantizer for every row.
  template <ScalarQuantizer Q>
  Activation(const Q& q)  // NOLINT(google-explicit-constructor): any quantizer is an activation
      : lowering_(lower(q)), encode_(&encode_static<Q>), bits_(Q::bits), is_dynamic_(false) {
    tabulate_planes();
    if constexpr (fits_inline<Q>) {
      std::memcpy(inline_, &q, sizeof q);
    } else {
      shared_ = std::make_shared<const Q>(q);
    }
  }

  /// `Q` fitted to the range of each row. The planes of `Q` must not depend on its parameters.
  template <ScalarQuantizer Q>
  [[nodiscard]] static Activation per_token(Symmetry symmetry = Symmetry::affine) {
    Activation activation{Q{}};
    activation.symmetry_ = symmetry;
    activation.encode_ = &encode_dynamic<Q>;
    activation.is_dynamic_ = true;
    return activation;
  }

  [[nodiscard]] int bits() const { return bits_; }
  [[nodiscard]] bool is_dynamic() const { return is_dynamic_; }
  /// Planes and weights; unit and zero hold for a static activation only.
  [[nodiscard]] const Lowering& lowering() const { return lowering_; }

  /// The byte that plane p holds for each code, moved so that the least is 0. The move is in `encode`'s zero.
  [[nodiscard]] const std::array<std::uint8_t, 256>& plane_bytes(int p) const {
    return plane_bytes_[static_cast<std::size_t>(p)];
  }
  /// Whether the bytes of plane p are the codes themselves, which then need no look-up.
  [[nodiscard]] bool plane_is_codes(int p) const { return plane_is_codes_[static_cast<std::size_t>(p)]; }

  /// Codes of `x[0 .. n)`, and the unit and zero that go with them.
  RowScale encode(const float* x, Index n, std::uint8_t* codes) const {
    RowScale scale = encode_(*this, x, n, codes);
    scale.zero -= zero_shift_;
    return scale;
  }

 private:
  template <class Q>
  static constexpr bool fits_inline = std::is_trivially_copyable_v<Q> && sizeof(Q) <= 64;

  template <class Q>
  [[nodiscard]] Q quantizer() const {
    if constexpr (fits_inline<Q>) {
      Q q;
      std::memcpy(&q, inline_, sizeof q);
      return q;
    } else {
      return *static_cast<const Q*>(shared_.get());
    }
  }

  template <class Q>
  static RowScale encode_static(const Activation& self, const float* x, Index n, std::uint8_t* codes) {
    encode_row(self.quantizer<Q>(), x, n, codes);
    const float unit = row_is_finite(x, n) ? self.lowering_.unit : std::numeric_limits<float>::quiet_NaN();
    return {unit, self.lowering_.zero};
  }

  template <class Q>
  static RowScale encode_dynamic(const Activation& self, const float* x, Index n, std::uint8_t* codes) {
    if (!row_is_finite(x, n)) {
      std::memset(codes, 0, static_cast<std::size_t>(n));
      return {std::numeric_limits<float>::quiet_NaN(), 0};
    }
    RunningRange range;
    widen(range, x, n);
    const Q q = fit<Q>(range.range(), self.symmetry_);
    encode_row(q, x, n, codes);
    const Lowering lowering = lower(q);
    return {lowering.unit, lowering.zero};
  }

  void tabulate_planes() {
    for (std::size_t p = 0; p < static_cast<std::size_t>(lowering_.plane_count); ++p) {
      const BytePlane& plane = lowering_.planes[p];
      const auto levels = std::size_t{1} << bits_;
      int least = plane.values[0];
      for (std::size_t code = 1; code < levels; ++code) least = plane.values[code] < least ? plane.values[code] : least;
      plane_is_codes_[p] = true;
      for (std::size_t code = 0; code < levels; ++code) {
        plane_bytes_[p][code] = static_cast<std::uint8_t>(plane.values[code] - least);
        plane_is_codes_[p] = plane_is_codes_[p] && plane_bytes_[p][code] == code;
      }
      zero_shift_ += plane.weight * static_cast<float>(least);
    }
  }

  Lowering lowering_;
  std::array<std::array<std::uint8_t, 256>, 2> plane_bytes_{};
  std::array<bool, 2> plane_is_codes_{};
  float zero_shift_ = 0;
  RowScale (*encode_)(const Activation&, const float*, Index, std::uint8_t*) = nullptr;
  int bits_ = 8;
  bool is_dynamic_ = false;
  Symmetry symmetry_ = Symmetry::affine;
  alignas(std::max_align_t) unsigned char inline_[64] = {};
  std::shared_ptr<const void> shared_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
