#pragma once

/// \file
/// Ternary weights: -scale, 0 or +scale.
///
///     code = (x > threshold) - (x < -threshold) + 1,   value = scale * (code - 1)
///
/// Source: BitNet b1.58 (Ma et al., 2024), MatMul-free LM (Zhu et al., 2024): scale g = mean |w|, and rne(w / g)
/// clamped to -1 .. 1, which is a threshold of g / 2 (a tie rounds to 0). Ternary weight networks (Li et al., 2016):
/// threshold 0.7 mean |w|, scale the mean of |w| above it, see `twn`.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/math.hpp"

#include <cmath>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// Ternary quantizer; a code takes 2 bits. Code 3 is never made, and decodes like code 2. NaN gets code 1, which is 0;
/// infinities the end codes. Class: exact.
struct Ternary {
  static constexpr int bits = 2;
  static constexpr bool reads_mean_abs = true;

  float scale = 1;         ///< positive
  float threshold = 0.5f;  ///< up to which values are 0; not negative, and below the scale

  friend bool operator==(const Ternary&, const Ternary&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    const Int above = simd::select(x > T(threshold), Int(2), 1);
    return simd::select(x < T(-threshold), Int(0), above);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return simd::to_float(simd::min(code, 2) - C(1)) * simd::FloatOf<C>(scale);
  }

  /// The rule of BitNet b1.58: the scale is the mean of |x|, at least the published 1e-5, the threshold half of it.
  [[nodiscard]] static Ternary fit(Range range) {
    const float scale = range.mean_abs > 1e-5f ? range.mean_abs : 1e-5f;
    return {scale, scale / 2};
  }

  /// The rule of ternary weight networks: the threshold is 0.7 of the mean of |x|, the scale the mean of the |x| above
  /// it (1 where there is none). Sums in double, in order: two passes.
  [[nodiscard]] static Ternary twn(std::span<const float> values) {
    double sum = 0;
    for (const float x : values) sum += std::fabs(static_cast<double>(x));
    const auto threshold = static_cast<float>(values.empty() ? 0.0 : 0.7 * sum / static_cast<double>(values.size()));
    double above = 0;
    std::int64_t count = 0;
    for (const float x : values) {
      if (std::fabs(x) > threshold) {
        above += std::fabs(static_cast<double>(x));
        ++count;
      }
    }
    return {usable_scale(static_cast<float>(count > 0 ? above / static_cast<double>(count) : 0.0)), threshold};
  }

  /// Exact: the codes themselves, less 1.
  [[nodiscard]] LoweringScale lowering_scale() const { return {scale, 1.0f}; }
  [[nodiscard]] Lowering lower() const {
    Lowering lowering = lower_codes(4, scale, 1.0f);
    lowering.planes[0].values[3] = 2;
    return lowering;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
