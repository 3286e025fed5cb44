#pragma once

/// \file
/// One-bit values, and the elastic steps of 1 to 4 bits that go with them.
///
///     Binary:   code = x < center,   value = code == 0 ? scale : -scale
///     Elastic:  code = rne(clamp((x - offset) / scale, 0, 2^b - 1)),   value = scale * code + offset
///
/// Source: BiPFT (Xing et al., AAAI 2024). Weights: center the mean of w, scale the mean of |w|, not centred. Signed
/// activations of one bit: `Binary` after a learned move of each channel; of more bits: `Uniform<b>` with zero point
/// 2^(b-1). Unsigned ones (probabilities, values after GELU): `Elastic`. The published sign of an exact tie is 0, which
/// one bit does not hold: it is positive here, as in the published packed form, whose bit 1 is negative too.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Scaled sign. NaN gets code 0. Class: exact.
struct Binary {
  static constexpr int bits = 1;
  static constexpr bool reads_mean_abs = true;

  float scale = 1;   ///< positive
  float center = 0;  ///< from where on a value is positive; at most the scale in size

  friend bool operator==(const Binary&, const Binary&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    return simd::select(x < T(center), Int(1), 0);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    return simd::select(code == C(0), F(scale), -scale);
  }

  /// The scale is the mean of |x|, 1 where that is 0; the center is 0. (The published center is the mean of the whole
  /// weight, which a range does not hold.)
  [[nodiscard]] static Binary fit(Range range) { return {usable_scale(range.mean_abs), 0.0f}; }

  /// Exact: +1 and -1.
  [[nodiscard]] LoweringScale lowering_scale() const { return {scale, 0.0f}; }
  [[nodiscard]] Lowering lower() const {
    Lowering lowering;
    lowering.unit = scale;
    lowering.planes[0].values[0] = 1;
    lowering.planes[0].values[1] = -1;
    return lowering;
  }
};

/// Elastic unsigned steps of `Bits` bits, 1 to 4: uniform from a real offset. NaN gets code 0; infinities saturate.
/// Class: exact.
template <int Bits>
struct Elastic {
  static_assert(Bits >= 1 && Bits <= 4, "Elastic<Bits>: Bits is 1 to 4");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = true;
  static constexpr std::int32_t max_code = (1 << Bits) - 1;

  float scale = 1;   ///< width of one step, positive
  float offset = 0;  ///< value of code 0

  friend bool operator==(const Elastic&, const Elastic&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    const T steps = (x - T(offset)) / T(scale);
    return simd::round_clamp(steps, 0.0f, static_cast<float>(max_code));
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    return simd::pinned(simd::to_float(code) * F(scale)) + F(offset);
  }

  /// The published initial step, 4 mean |x| / sqrt(2^b - 1), at least 1e-5, and an offset at the minimum. The step is
  /// at least the 2^-20th part of the offset, which keeps codes apart.
  [[nodiscard]] static Elastic fit(Range range) {
    const float step = 4 * range.mean_abs / std::sqrt(static_cast<float>(max_code));
    const float least = std::max(1e-5f, std::fabs(range.min) * 0x1p-20f);
    constexpr float most = 0x1p120f;
    return {std::clamp(step, std::min(least, most), most), std::clamp(range.min, -0x1p126f, 0x1p126f)};
  }

  /// The codes are the plane: exact up to the rounding of offset / scale.
  [[nodiscard]] Lowering lower() const {
    Lowering lowering = lower_codes(1 << Bits, scale, -offset / scale);
    measure_error(lowering, levels_of(*this));
    return lowering;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
