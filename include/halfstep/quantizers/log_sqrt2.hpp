#pragma once

/// \file
/// The logarithmic quantizer of base sqrt(2): every other level is half of the one two before.
///
///     code  = clamp(rne(-2 log2(x / scale)), 0, last code)
///     value = scale * 2^-ceil(code / 2) * (sqrt(2) for odd codes), or 0 where the zero policy says so
///
/// For probabilities after a softmax. Source: RepQ-ViT (Li et al., ICCV 2023), whose reparameterization to base 2 is
/// the lowering here: even and odd codes are two planes of powers of two, and sqrt(2) is the weight between them.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lower_to_grid.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/simd/bits.hpp"

#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// rne(2 log2(x)) for finite x > 0: twice the exponent, plus one where the mantissa is above 2^(1/4), and one more
/// above 2^(3/4). Neither is a float, so there are no ties. Class: exact.
template <simd::FloatLanes T>
[[nodiscard]] simd::IntOf<T> rounded_log_sqrt2(T x) {
  using Int = simd::IntOf<T>;
  constexpr float below_fourth_root = 0x1.306fe0p+0f, below_its_cube = 0x1.ae89f8p+0f;
  const T m = simd::mantissa(x);
  const Int twice = simd::exponent(x) << 1;
  return twice + simd::select(m > T(below_fourth_root), Int(1), 0) + simd::select(m > T(below_its_cube), Int(1), 0);
}

/// Log-sqrt2 quantizer that is said to have `Bits` bits (2 to 8). Codes, special values and zero policies are those of
/// `Log2`. Class: exact.
template <int Bits, ZeroPolicy Zero = ZeroPolicy::reserve, LogFloor Floor = LogFloor::none>
struct LogSqrt2 {
  using Codes = LogCodes<Bits, Zero>;
  static constexpr int bits = Codes::bits;
  static constexpr int stated_bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr bool decodes_by_table = true;
  static constexpr std::int32_t last_code = Codes::last_code;

  float scale = 1;  ///< the largest level, positive

  friend bool operator==(const LogSqrt2&, const LogSqrt2&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    constexpr float floor = Floor == LogFloor::published ? published_log_floor : 0.0f;
    const T ratio = simd::max(x / T(scale), floor);  // NaN and what is not positive: the floor
    const auto code = simd::clamp(simd::IntOf<T>(0) - rounded_log_sqrt2(ratio), 0, last_code);
    return simd::select(ratio > T(0.0f), code, last_code);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const C half = (code + C(1)) >> 1;
    const F root = simd::select((code & C(1)) == C(1), F(sqrt2), 1.0f);
    const F value = simd::exp2_int(C(0) - half) * root * F(scale);
    if constexpr (Codes::has_zero) {
      return simd::select(code >= C(last_code), F(0.0f), value);
    } else {
      return value;
    }
  }

  /// The scale is the maximum; 1 where no value is positive.
  [[nodiscard]] static LogSqrt2 fit(Range range) { return {usable_scale(range.max)}; }

  /// Up to 4 bits: an even and an odd plane of powers of two, exact up to the rounding of sqrt(2) to a float. More bits
  /// reach too far down for a byte: the fixed-point planes of a table, within 2^-17 * scale.
  [[nodiscard]] Lowering lower() const {
    if constexpr (smallest_level > 15) {
      return lower_levels(levels_of(*this).data(), 1 << bits);
    } else {
      Lowering lowering;
      lowering.unit = simd::scale_by_power(scale, -7);
      lowering.plane_count = 2;
      lowering.planes[1].weight = sqrt2 / 2;
      for (int code = 0; code <= smallest_level; ++code) {
        lowering.planes[static_cast<std::size_t>(code % 2)].values[static_cast<std::size_t>(code)] =
            static_cast<std::int16_t>(1 << (7 - code / 2));
      }
      measure_error(lowering, levels_of(*this), LevelMatch::as_float);
      return lowering;
    }
  }

 private:
  static constexpr float sqrt2 = 1.41421356f;
  static constexpr std::int32_t smallest_level = Codes::has_zero ? last_code - 1 : last_code;
};

}  // namespace halfstep::inline HALFSTEP_ABI
