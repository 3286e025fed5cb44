#pragma once

/// \file
/// Exponential functions, from operations that every instruction set rounds alike. Class: exact.
///
/// The polynomials are least in greatest relative error on [-1/2, 1/2] and on [-ln 2 / 2, ln 2 / 2] (Remez), with their
/// coefficients rounded to float.

#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/polynomial.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// p * 2^k for p in [1/2, 2] and integral k in [-151, 129], rounded once: in two steps, because 2^k alone may be no
/// normal float.
template <FloatLanes T>
[[nodiscard, gnu::always_inline]] inline T scaled_by_wide_power(T p, T k) {
  const IntOf<T> whole = simd::to_int(k);
  const IntOf<T> half = whole >> 1;
  return simd::pinned(p * simd::power_of_two(half) * simd::power_of_two(whole - half));
}

/// 2^x with a relative error of at most 4e-7 (of at most 2^-149 where the result is subnormal); exact for integral x.
/// Infinity from 128 on, 0 below -150; NaN stays.
template <FloatLanes T>
[[nodiscard, gnu::always_inline]] inline T exp2(T x) {
  const T held = simd::clamp(x, -151.0f, 129.0f);
  const T k = simd::round_even(held);
  const T f = held - k;
  const T p = simd::polynomial(f, 1.0f, 0x1.62e430p-1f, 0x1.ebfbdcp-3f, 0x1.c6aee8p-5f, 0x1.3b2d4ep-7f, 0x1.5f3e6ap-10f,
                               0x1.41fb94p-13f);
  return simd::select(simd::is_nan(x), x, simd::scaled_by_wide_power(p, k));
}

/// e^x with a relative error of at most 4e-7 (of at most 2^-149 where the result is subnormal); 1 for 0. Infinity from
/// ln(2^128) on, 0 below -104; NaN stays.
template <FloatLanes T>
[[nodiscard, gnu::always_inline]] inline T exp(T x) {
  constexpr float log2_e = 0x1.715476p+0f;
  constexpr float ln2_high = 0x1.63p-1f;  // 9 bits: exact times any k
  constexpr float ln2_low = -0x1.bd0106p-13f;
  const T held = simd::clamp(x, -104.0f, 89.0f);
  const T k = simd::round_even(simd::pinned(held * log2_e));
  const T r = held - simd::pinned(k * ln2_high) - simd::pinned(k * ln2_low);
  const T q = simd::polynomial(r, 0x1.fffffcp-2f, 0x1.555490p-3f, 0x1.5558f4p-5f, 0x1.123a6cp-7f, 0x1.6a2346p-10f);
  const T p = simd::pinned(simd::pinned(r * r) * q) + r + 1.0f;
  return simd::select(simd::is_nan(x), x, simd::scaled_by_wide_power(p, k));
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
