#pragma once

/// \file
/// The uniform quantizer whose zero is real: equal steps from the least value on.
///
///     code  = Uniform: rne(clamp((x - shift) / scale, 0, 2^b - 1))
///     value = scale * code + shift
///
/// The least value has code 0 and comes back exactly; real 0 has no code of its own. Source: Pan et al., "Mesa: A
/// Memory-saving Training Framework for Transformers", 2021, section 3.1. The published kernel does not clamp at the
/// top: a value above a running range wraps around to small codes. Here it saturates. A constant granule, 0 / 0 in the
/// published kernel, has the code 0 everywhere.
///
/// No product feeds a sum where a code is decided; where one does in `decode` it is rounded first. Class: exact.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lowering.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// Uniform quantizer of `Bits` bits, 2 to 8, over `shift` .. `shift + (2^b - 1) * scale`. NaN encodes to 0, infinities
/// saturate.
///
/// A scale below `|shift| * 2^-22` is a step that the floats around `shift` do not resolve; `fit` gives none.
template <int Bits>
struct ShiftedUniform {
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  /// The largest code.
  static constexpr std::int32_t max_code = Uniform<Bits>::max_code;

  float scale = 1;  ///< width of one step, positive
  float shift = 0;  ///< the value of code 0

  friend bool operator==(const ShiftedUniform&, const ShiftedUniform&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    return Uniform<Bits>{scale, 0}.encode(x - T(shift));
  }

  /// Stochastic rounding: the code above with the probability of what is cut off. `u` is uniform in (0, 1];
  /// u = 1/2 is `encode`.
  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x, T u) const {
    const T steps = simd::max((x - T(shift)) / T(scale), 0.0f) + (u - T(0.5f));
    return simd::round_clamp(steps, 0.0f, static_cast<float>(max_code));
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    return simd::pinned(simd::to_float(code) * F(scale)) + F(shift);
  }

  /// `scale = (max - min) / (2^b - 1)`, `shift = min`, not widened to hold 0. A constant comes back exactly, but for
  /// one within 2^-14 of the largest float. Where the range is more than the largest float, codes end before it does.
  [[nodiscard]] static ShiftedUniform fit(Range range) {
    return of_step(range.min, divided_span(range.min, range.max, static_cast<float>(max_code)), absmax(range));
  }

  /// The same for `shift` .. `shift + span`; span is not negative.
  [[nodiscard]] static ShiftedUniform over(float shift, float span) {
    return of_step(shift, span / static_cast<float>(max_code), absmax({shift, shift + span, 0}));
  }

  /// The codes are the plane; the zero, -shift / scale, is a real number, rounded to float.
  [[nodiscard]] LoweringScale lowering_scale() const { return {scale, -shift / scale}; }
  [[nodiscard]] Lowering lower() const {
    Lowering lowering = lower_codes(max_code + 1, scale, -shift / scale);
    measure_error(lowering, levels_of(*this));
    return lowering;
  }

 private:
  /// Steps that floats of `magnitude` resolve, and that end within the floats: beside the largest float the shift moves
  /// down by what they need.
  [[nodiscard]] static ShiftedUniform of_step(float shift, float step, float magnitude) {
    constexpr auto steps = static_cast<float>(max_code);
    const float least = std::min(magnitude, std::numeric_limits<float>::max()) * 0x1p-22f;
    const float scale = finite_scale(usable_scale(step > least ? step : least), steps);
    return {scale, std::min(shift, 0x1.fffff8p127f - simd::pinned(steps * scale))};
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
