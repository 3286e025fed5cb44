#pragma once

/// \file
/// The logarithmic quantizer of base 2: each level is half of the one before.
///
///     code  = clamp(rne(-log2(x / scale)), 0, last code)
///     value = scale * 2^-code, or 0 where the zero policy gives the last code to zero
///
/// For probabilities after a softmax. Source: FQ-ViT (Lin et al., IJCAI 2022), RepQ-ViT (Li et al., ICCV 2023).
/// The rounded logarithm is the exponent of x / scale, plus one where its mantissa is above sqrt(2): one addition and
/// one shift of the float's bits, and no logarithm whose last bit might vary.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lower_to_grid.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/simd/bits.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Added to the bits of a positive float, carries into the exponent where the mantissa is above sqrt(2): the largest
/// float below has the mantissa bits 0x3504f3.
inline constexpr std::int32_t to_carry_at_sqrt2 = 0x00800000 - 0x003504f4;

/// rne(log2(x)) for finite x > 0, subnormal ones included; no tie exists, the square root of 2 being irrational. Above
/// 127 for infinity, at most -150 for zero. Class: exact.
template <simd::FloatLanes T>
[[nodiscard]] simd::IntOf<T> rounded_log2(T x) {
  const auto bias =
      simd::select((simd::to_bits(x) & 0x7fffffff) < simd::IntOf<T>(0x00800000), simd::IntOf<T>(127 + 149), 127);
  return simd::shift_right_logical(simd::normalized_bits(x) + simd::IntOf<T>(to_carry_at_sqrt2), 23) - bias;
}

/// Log2 quantizer that is said to have `Bits` bits (2 to 8).
///
/// Codes run from 0, the largest level, downwards. Values that are not positive, and NaN, get the last code; so do
/// those below the smallest level. Infinity and values above the scale get code 0. With `ZeroPolicy::mask` a code takes
/// one bit more than stated: such a quantizer encodes and decodes, and is a `ScalarQuantizer` where that leaves 8 bits,
/// but is none to pack as `Bits` bits. Codes so deep that scale * 2^-code underflows decode to 0 as well. Class: exact.
template <int Bits, ZeroPolicy Zero = ZeroPolicy::reserve, LogFloor Floor = LogFloor::none>
struct Log2 {
  using Codes = LogCodes<Bits, Zero>;
  static constexpr int bits = Codes::bits;
  static constexpr int stated_bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr std::int32_t last_code = Codes::last_code;

  float scale = 1;  ///< the largest level, positive

  friend bool operator==(const Log2&, const Log2&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    constexpr float floor = Floor == LogFloor::published ? published_log_floor : 0.0f;
    const T ratio = simd::max(x / T(scale), floor);  // NaN and what is not positive: the floor
    if constexpr (last_code <= 126) {  // subnormal ratios and zero, whose exponent field is 0, are beyond the last code
      const auto exponent = (simd::to_bits(ratio) + simd::IntOf<T>(to_carry_at_sqrt2)) >> 23;
      return simd::clamp(simd::IntOf<T>(127) - exponent, 0, last_code);
    } else {
      const auto code = simd::clamp(simd::IntOf<T>(0) - rounded_log2(ratio), 0, last_code);
      return simd::select(ratio > T(0.0f), code, last_code);
    }
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const F value = simd::exp2_int(C(0) - code) * F(scale);
    if constexpr (Codes::has_zero) {
      return simd::select(code >= C(last_code), F(0.0f), value);
    } else {
      return value;
    }
  }

  /// The scale is the maximum; 1 where no value is positive.
  [[nodiscard]] static Log2 fit(Range range) { return {usable_scale(range.max)}; }

  /// Exact for up to 4 bits: the levels are powers of two, 8 of them in one plane and 16 in two. Levels further below
  /// the largest are rounded to multiples of 2^-15 * scale.
  [[nodiscard]] LoweringScale lowering_scale() const { return {simd::scale_by_power(scale, -depth), 0.0f}; }
  [[nodiscard]] Lowering lower() const {
    return lower_to_grid(*this, static_cast<double>(scale) / static_cast<double>(1 << depth));
  }

 private:
  /// How many halvings lie between the scale and the lowering's unit.
  static constexpr std::int32_t smallest_level = Codes::has_zero ? last_code - 1 : last_code;
  static constexpr std::int32_t depth = smallest_level < 15 ? smallest_level : 15;
};

}  // namespace halfstep::inline HALFSTEP_ABI
