#pragma once

/// \file
/// The uniform quantizer: equal steps.
///
///     code  = rne(clamp(x / scale, -zero_point, 2^b - 1 - zero_point)) + zero_point
///     value = scale * (code - zero_point)
///
/// docs/numerics.md, section 1, derives both. Division, clamping before rounding and the zero point added in integers
/// after rounding leave nothing for a fused multiply-add to change: codes are exact on every instruction set.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lowering.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/math.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Uniform quantizer of `Bits` bits, affine or symmetric.
///
/// Codes are unsigned, 0 .. 2^b - 1. A symmetric quantizer is the one whose zero point is 2^(b-1): its codes are the
/// signed ones, -2^(b-1) .. 2^(b-1) - 1, plus 2^(b-1). The zero point may lie outside the codes (a range that does not
/// hold 0, as RepQ-ViT's percentiles give), up to 2^23 in size. NaN encodes to the zero point, or to the code nearest
/// to it; infinities saturate. Class: exact.
template <int Bits>
struct Uniform {
  static_assert(Bits >= 2 && Bits <= 8, "Uniform<Bits>: Bits is 2 to 8");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  /// The largest code.
  static constexpr std::int32_t max_code = (1 << Bits) - 1;

  float scale = 1;              ///< width of one step, positive
  std::int32_t zero_point = 0;  ///< code of real 0

  friend bool operator==(const Uniform&, const Uniform&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    const auto least = static_cast<float>(-zero_point);
    const auto largest = static_cast<float>(max_code - zero_point);
    return simd::round_clamp(x / T(scale), least, largest) + simd::IntOf<T>(zero_point);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    return simd::to_float(code - C(zero_point)) * F(scale);
  }

  /// Affine: the range is widened to hold 0; `scale = (max - min) / (2^b - 1)`, `zero_point = rne(-min / scale)`.
  /// Symmetric: `scale = absmax / (2^(b-1) - 1)`, so that codes keep to -(2^(b-1)-1) .. 2^(b-1)-1.
  /// An empty range gives scale 1, one too small for a normal step the smallest normal scale, and the scale of one that
  /// fills the floats is reduced until every code has a finite value. Range ends must be finite.
  [[nodiscard]] static Uniform fit(Range range, Symmetry symmetry = Symmetry::affine) {
    if (symmetry == Symmetry::symmetric) {
      constexpr int half = 1 << (Bits - 1);
      const float scale = usable_scale(absmax(range) / static_cast<float>(half - 1));
      return {finite_scale(scale, static_cast<float>(half)), half};
    }
    const float low = range.min < 0 ? range.min : 0.0f;
    const float high = range.max > 0 ? range.max : 0.0f;
    const float scale = usable_scale(divided_span(low, high, static_cast<float>(max_code)));
    const std::int32_t zero_point = simd::round_clamp(-low / scale, 0.0f, static_cast<float>(max_code));
    const std::int32_t steps = zero_point > max_code - zero_point ? zero_point : max_code - zero_point;
    return {finite_scale(scale, static_cast<float>(steps)), zero_point};
  }

  /// Exact: the codes themselves are the plane.
  [[nodiscard]] LoweringScale lowering_scale() const { return {scale, static_cast<float>(zero_point)}; }
  [[nodiscard]] Lowering lower() const { return lower_codes(1 << Bits, scale, static_cast<float>(zero_point)); }
};

}  // namespace halfstep::inline HALFSTEP_ABI
