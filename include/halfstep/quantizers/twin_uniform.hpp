#pragma once

/// \file
/// Twin uniform quantizers: two regions with a step of their own, and a bit that says which. With n = 2^(b-1):
///
///     TwinSoftmax:  region of x >= split = largest * 2^-shift: step largest / (n - 1);  below: split / (n - 1)
///     TwinGelu:     region of x > 0 (or of what rounds to 0): step scale;  below: negative_scale
///     code = region * n + clamp(rne(|x| / step), 0, n - 1)
///
/// Source: PTQ4ViT (Yuan et al., ECCV 2022), section 3.2. The regions exclude each other, as in the paper; the
/// published program adds two clamped halves, which puts `split` on top of every large softmax value. Its GELU
/// quantizer has the code -n, which does not fit beside a region bit: negative codes keep to n - 1 here. The paper ties
/// both steps of GELU by a power of two, the program does not: `with_power_of_two_ratio` does, where a shift kernel is
/// wanted.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lower_to_grid.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/bits.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// For probabilities: a fine region below the split, a coarse one above. 3 to 8 bits.
///
/// NaN and what is below 0 get code 0, infinity the last. The fine region's last code n - 1 has the value of the split,
/// which belongs to the coarse region: it comes back as the coarse code nearest to it. Coarse codes whose value is
/// below the split come back as fine ones; where half a coarse step is more than the split, values between the two get
/// one, code n, of the value 0. Class: exact.
template <int Bits>
struct TwinSoftmax {
  static_assert(Bits >= 3 && Bits <= 8, "TwinSoftmax<Bits>: Bits is 3 to 8");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr std::int32_t half = 1 << (Bits - 1);

  float largest = 1;          ///< the largest value, positive
  std::int32_t shift = Bits;  ///< the split is largest * 2^-shift; 0 to 60

  friend bool operator==(const TwinSoftmax&, const TwinSoftmax&) = default;

  [[nodiscard]] float split() const { return largest * simd::power_of_two(-shift); }
  [[nodiscard]] float coarse_scale() const { return largest / static_cast<float>(half - 1); }
  [[nodiscard]] float fine_scale() const { return split() / static_cast<float>(half - 1); }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    const auto is_coarse = x >= T(split());
    const T steps = x / simd::select(is_coarse, T(coarse_scale()), fine_scale());
    return simd::round_clamp(steps, 0.0f, static_cast<float>(half - 1)) + simd::select(is_coarse, Int(half), 0);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const auto is_coarse = code >= C(half);
    return simd::to_float(code & C(half - 1)) * simd::select(is_coarse, F(coarse_scale()), fine_scale());
  }

  /// The largest value is the maximum, 1 where none is positive; the split lies `Bits` halvings below.
  [[nodiscard]] static TwinSoftmax fit(Range range) {
    constexpr float least = 0x1p-126f * static_cast<float>(1 << (2 * Bits));  // keeps the fine step normal
    constexpr float most = 0x1.fffff0p127f;                                   // keeps n - 1 rounded coarse steps finite
    return {std::clamp(usable_scale(range.max), least, most), Bits};
  }

  /// Two planes, coarse and fine, exact: the weight of the fine one is 2^-shift.
  [[nodiscard]] LoweringScale lowering_scale() const { return {coarse_scale(), 0.0f}; }
  [[nodiscard]] Lowering lower() const {
    Lowering lowering;
    lowering.unit = coarse_scale();
    lowering.plane_count = 2;
    lowering.planes[1].weight = simd::power_of_two(-shift);
    for (std::int32_t code = 0; code < 1 << Bits; ++code) {
      const auto at = static_cast<std::size_t>(code);
      lowering.planes[code >= half ? 0 : 1].values[at] = static_cast<std::int16_t>(code % half);
    }
    measure_error(lowering, levels_of(*this), LevelMatch::as_float);
    return lowering;
  }
};

/// For values after GELU: a long positive and a short negative region. 3 to 8 bits.
///
/// Zero, and what rounds to it from either side, is code n; code 0, a second zero, is never made. NaN gets code n,
/// infinities the end codes of their regions. Class: exact.
template <int Bits>
struct TwinGelu {
  static_assert(Bits >= 3 && Bits <= 8, "TwinGelu<Bits>: Bits is 3 to 8");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr std::int32_t half = 1 << (Bits - 1);

  float scale = 1;           ///< step of the positive region, positive
  float negative_scale = 1;  ///< step of the negative region, positive

  friend bool operator==(const TwinGelu&, const TwinGelu&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    const auto is_negative = x < T(0.0f);
    const T steps = simd::abs(x) / simd::select(is_negative, T(negative_scale), scale);
    const Int payload = simd::round_clamp(steps, 0.0f, static_cast<float>(half - 1));
    const auto keeps_sign = simd::as_int_mask(is_negative) & (payload > Int(0));
    return payload + simd::select(keeps_sign, Int(0), half);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const auto is_negative = code < C(half);
    return simd::to_float(code & C(half - 1)) * simd::select(is_negative, F(-negative_scale), scale);
  }

  /// Each region's step is its end over n - 1. (The published negative step is 0.16997124254703522 / n.)
  [[nodiscard]] static TwinGelu fit(Range range) {
    constexpr auto steps = static_cast<float>(half - 1);
    return {finite_scale(usable_scale(range.max / steps), steps),
            finite_scale(usable_scale(-range.min / steps), steps)};
  }

  /// The same with the positive step moved to the power of two of the negative one that is nearest in the logarithm.
  [[nodiscard]] TwinGelu with_power_of_two_ratio() const {
    const double octaves = std::nearbyint(std::log2(static_cast<double>(scale) / static_cast<double>(negative_scale)));
    return {std::ldexp(negative_scale, static_cast<int>(octaves)), negative_scale};
  }

  /// Two planes, positive and negative, exact up to the rounding of the ratio of both steps.
  [[nodiscard]] Lowering lower() const {
    Lowering lowering;
    lowering.unit = std::max(scale, negative_scale);
    lowering.plane_count = 2;
    lowering.planes[0].weight = scale / lowering.unit;
    lowering.planes[1].weight = negative_scale / lowering.unit;
    for (std::int32_t code = 0; code < 1 << Bits; ++code) {
      const auto at = static_cast<std::size_t>(code);
      const bool is_negative = code < half;
      lowering.planes[is_negative ? 1 : 0].values[at] = static_cast<std::int16_t>(is_negative ? -code : code - half);
    }
    measure_error(lowering, levels_of(*this), LevelMatch::as_float);
    return lowering;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
