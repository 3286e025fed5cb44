#pragma once

/// \file
/// TanQ: equal steps of a tangent, so that levels are dense at one or both ends of [0, scale].
///
///     u     = clamp(x / scale, 0, 1),   g(u) = tan(alpha (u - center))
///     code  = rne((g(u) - g(0)) / (g(1) - g(0)) * (2^b - 1))
///     value = scale * (center + atan(g(0) + code / (2^b - 1) * (g(1) - g(0))) / alpha),   first and last exactly 0,
///     scale
///
/// For probabilities after a softmax. Source: DopQ-ViT (Yang et al., 2024), section 3.1; the paper's constants are not
/// published, this formulation is our own. Steps shrink where the tangent is steep: center 0.5 is fine at both ends, a
/// smaller one finer at 1. Tangent and arc tangent are our own polynomials, with the same bits everywhere.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/atan.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/tan.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// TanQ quantizer of `Bits` bits, 2 to 8. Requires alpha * max(center, 1 - center) < pi / 2. NaN and values below 0 get
/// code 0, infinity the last. Class: exact.
template <int Bits>
struct TanQ {
  static_assert(Bits >= 2 && Bits <= 8, "TanQ<Bits>: Bits is 2 to 8");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr bool decodes_by_table = true;
  static constexpr std::int32_t max_code = (1 << Bits) - 1;

  float scale = 1;      ///< the largest level, positive
  float alpha = 2;      ///< how far up the tangent goes, positive
  float center = 0.5f;  ///< where steps are widest, in [0, 1]

  friend bool operator==(const TanQ&, const TanQ&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    const float low = tangent(0.0f);
    const float span = tangent(1.0f) - low;
    const T u = simd::min(simd::max(x / T(scale), 0.0f), 1.0f);  // NaN: 0
    return simd::round_clamp((tangent(u) - T(low)) / T(span) * T(last), 0.0f, last);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const float low = tangent(0.0f);
    const float span = tangent(1.0f) - low;
    const F rise = simd::pinned(simd::to_float(code) / F(last) * F(span));
    const F g = F(low) + rise;
    // Below the center atan(g) - atan(low) in one, so that small levels keep their digits.
    const auto is_low = g < F(0.0f);
    const F arc = simd::atan(simd::select(is_low, rise / (simd::pinned(g * F(low)) + F(1.0f)), g));
    const F u = simd::select(is_low, F(0.0f), center) + arc / F(alpha);
    const F ends = simd::select(code <= C(0), F(0.0f), 1.0f);
    return simd::select((code > C(0)) & (code < C(max_code)), u, ends) * F(scale);
  }

  /// The scale is the maximum, 1 where no value is positive; alpha 2 and center 0.5.
  [[nodiscard]] static TanQ fit(Range range) { return {usable_scale(range.max), 2.0f, 0.5f}; }

 private:
  static constexpr float last = static_cast<float>(max_code);

  template <simd::FloatLanes T>
  [[nodiscard]] T tangent(T u) const {
    return simd::tan(simd::pinned((u - T(center)) * T(alpha)));
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
