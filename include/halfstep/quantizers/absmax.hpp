#pragma once

/// \file
/// The symmetric quantizer that multiplies by the reciprocal of its step, as LLM.int8() does.
///
///     code  = rne(x * (n / absmax)) + 2^(b-1)         n = 2^(b-1) - 1: 127 at 8 bits
///     value = (code - 2^(b-1)) * (absmax / n)
///
/// `Uniform` divides by its scale, which gives other codes near ties. Here the published program multiplies, and so do
/// we. n / absmax is rounded once, its product with x once, and nothing is added before it is rounded to an integer:
/// codes are exact on every instruction set.
///
/// Source: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", NeurIPS 2022, and the
/// published library (bitsandbytes), where a row of zeros has no scale (0 * infinity); here its absmax is 1.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lowering.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Symmetric quantizer of `Bits` bits over plus and minus the largest magnitude. Values up to `absmax` have the codes
/// 1 .. 2^b - 1; code 0, one step further out, is what more negative values saturate to. NaN encodes to 0. Class:
/// exact.
template <int Bits>
struct Absmax {
  static_assert(Bits >= 2 && Bits <= 8, "Absmax<Bits>: Bits is 2 to 8");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr std::int32_t zero_point = 1 << (Bits - 1);
  /// Steps from 0 to `absmax`.
  static constexpr float steps = static_cast<float>(zero_point - 1);

  float absmax = 1;  ///< positive, between 2^-119 and 2^128 * (1 - 1 / 127)

  friend bool operator==(const Absmax&, const Absmax&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    constexpr auto zero = static_cast<float>(zero_point);
    return simd::round_clamp(simd::pinned(x * T(steps / absmax)), -zero, zero - 1) + simd::IntOf<T>(zero_point);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return simd::to_float(code - C(zero_point)) * simd::FloatOf<C>(absmax / steps);
  }

  /// The largest magnitude of the range; 1 for an empty range. Kept where its reciprocal and the value of every code
  /// are normal floats.
  [[nodiscard]] static Absmax fit(Range range) {
    constexpr float least = 0x1p-119f, largest = 0x1.fffffp127f / (steps + 1) * steps;
    const float magnitude = halfstep::absmax(range);
    if (magnitude == 0) return {};
    return {magnitude < least ? least : (magnitude > largest ? largest : magnitude)};
  }

  /// Exact: the codes themselves are the plane.
  [[nodiscard]] LoweringScale lowering_scale() const { return {absmax / steps, static_cast<float>(zero_point)}; }
  [[nodiscard]] Lowering lower() const {
    return lower_codes(1 << Bits, absmax / steps, static_cast<float>(zero_point));
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
