#pragma once

/// \file
/// Quantizers of the tests' own: one that a user might write, and some that strain the formats.

#include <cmath>
#include <cstdint>

#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/lowering.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

namespace halfstep_tests {

/// Finer near zero: `value = scale * code^2`. What a user writes; its lowering is derived.
template <int Bits>
struct SqrtQuantizer {
  static constexpr int bits = Bits;
  float scale = 1;
  friend bool operator==(const SqrtQuantizer&, const SqrtQuantizer&) = default;

  template <class T>
  auto encode(T x) const {
    const T positive = halfstep::simd::max(x, 0.0f);
    return halfstep::simd::round_clamp(halfstep::simd::sqrt(positive / T(scale)), 0, (1 << Bits) - 1);
  }
  template <class C>
  auto decode(C code) const {
    const auto root = halfstep::simd::to_float(code);
    return root * root * decltype(root)(scale);
  }
  static SqrtQuantizer fit(halfstep::Range range) {
    const float most = static_cast<float>(((1 << Bits) - 1) * ((1 << Bits) - 1));
    return {halfstep::finite_scale(halfstep::usable_scale(range.max / most), most)};
  }
};

/// Uniform steps from a real start: its zero is a fraction. Lowered by hand to two planes whose weights are no powers
/// of two of each other: even codes and odd codes, as the log-sqrt2 quantizer has them.
template <int Bits>
struct EvenOddQuantizer {
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  float scale = 1;
  float start = 0;
  friend bool operator==(const EvenOddQuantizer&, const EvenOddQuantizer&) = default;

  template <class T>
  auto encode(T x) const {
    // A difference that is divided: nothing to fuse.
    return halfstep::simd::round_clamp((x - T(start)) / T(scale), 0, (1 << Bits) - 1);
  }
  template <class C>
  auto decode(C code) const {
    const auto steps = halfstep::simd::to_float(code);
    using F = decltype(steps + steps);
    return halfstep::simd::pinned(F(steps) * F(scale)) + F(start);
  }
  static EvenOddQuantizer fit(halfstep::Range range) {
    const float low = halfstep::simd::clamp(range.min, -1e37f, 1e37f);
    const float high = halfstep::simd::clamp(range.max, -1e37f, 1e37f);
    return {halfstep::usable_scale(halfstep::divided_span(low, high, (1 << Bits) - 1)), low};
  }
  /// value = scale * (1.5 * (2 c / 3 for even c) + 1 * (c for odd c) + start / scale)
  halfstep::Lowering lower() const {
    halfstep::Lowering lowering;
    lowering.unit = scale;
    lowering.zero = -start / scale;
    lowering.plane_count = 2;
    lowering.planes[0].weight = 0.5f;
    lowering.planes[1].weight = 1.0f;
    for (int code = 0; code < 1 << Bits; ++code) {
      const auto at = static_cast<std::size_t>(code);
      const bool is_even = code % 2 == 0 && code < 128;
      lowering.planes[0].values[at] = static_cast<std::int16_t>(is_even ? 2 * code : 0);
      lowering.planes[1].values[at] = static_cast<std::int16_t>(is_even ? 0 : code);
    }
    // scale * (steps + start / scale): the quotient is rounded once, here; decode rounds the product and the sum.
    lowering.max_error = std::ldexp(2 * (std::fabs(start) + 256 * scale), -23);
    return lowering;
  }
};

/// Levels at powers of two, the largest first, as probabilities have them; the lowering is derived: two planes for more
/// than 8 levels.
template <int Bits>
struct PowerQuantizer {
  static constexpr int bits = Bits;
  float scale = 1;
  friend bool operator==(const PowerQuantizer&, const PowerQuantizer&) = default;

  template <class T>
  auto encode(T x) const {
    // The exponent of x / scale * sqrt(2): the level nearest in the log domain.
    const T ratio = halfstep::simd::clamp(x / T(scale), 0x1p-100f, 1.0f);
    const auto e = halfstep::simd::to_bits(ratio * T(1.4142135f)) >> 23;
    using I = decltype(e + e);
    return halfstep::simd::clamp(I(127) - I(e), I(0), I((1 << Bits) - 1));
  }
  template <class C>
  auto decode(C code) const {
    return halfstep::simd::from_bits((C(127) - code) << 23) * halfstep::simd::FloatOf<C>(scale);
  }
  static PowerQuantizer fit(halfstep::Range range) { return {halfstep::usable_scale(range.max)}; }
};

/// `value = scale * (c + warp * c^2)`, warped by what the granule's mean says: its planes depend on its parameters.
template <int Bits>
struct WarpQuantizer {
  static constexpr int bits = Bits;
  float scale = 1;
  float warp = 0.1f;
  friend bool operator==(const WarpQuantizer&, const WarpQuantizer&) = default;

  template <class T>
  auto encode(T x) const {
    namespace simd = halfstep::simd;
    // The root of scale * (c + warp * c^2) = x, clamped first so that nothing overflows.
    const float most = (1 << Bits) * (1 + warp * (1 << Bits));
    const T y = simd::clamp(x / T(scale), 0.0f, most);
    const T root = simd::sqrt(simd::pinned(T(4 * warp) * y) + T(1.0f));
    return simd::round_clamp((root - T(1.0f)) / T(2 * warp), 0, (1 << Bits) - 1);
  }
  template <class C>
  auto decode(C code) const {
    const auto c = halfstep::simd::to_float(code);
    using F = halfstep::simd::FloatOf<C>;
    return (c + halfstep::simd::pinned(F(warp) * (c * c))) * F(scale);
  }
  static WarpQuantizer fit(halfstep::Range range) {
    constexpr float last = (1 << Bits) - 1;
    const float ratio = range.max > 0 ? range.mean_abs / range.max : 0.5f;
    const float warp = halfstep::simd::clamp(ratio, 0.125f, 1.0f) * 0.25f;
    const float most = last * (1 + halfstep::simd::pinned(warp * last));
    return {halfstep::finite_scale(halfstep::usable_scale(range.max / most), 2 * most), warp};
  }
};

}  // namespace halfstep_tests
