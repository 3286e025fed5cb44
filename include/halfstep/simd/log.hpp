#pragma once

/// \file
/// The binary logarithm, from operations that every instruction set rounds alike. Class: exact.

#include <limits>

#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/polynomial.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// log2(x) with a relative error of at most 4e-7, near 1 as well; exact for powers of two. -infinity for a zero of
/// either sign, NaN below, infinity for infinity; NaN stays. For floor(log2(x)) alone see `exponent`.
///
/// x = 2^k m with m in [sqrt(1/2), sqrt(2)), and log2(m) = 2 / ln(2) * atanh(s) for s = (m - 1) / (m + 1): an odd
/// polynomial in s, least in greatest relative error (Remez).
template <FloatLanes T>
[[nodiscard]] T log2(T x) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const IntOf<T> bits = simd::to_bits(x);
  const T significand = simd::mantissa(x);
  const auto upper = significand > T(0x1.6a09e6p+0f);
  const T m = simd::select(upper, significand * 0.5f, significand);
  const T k = simd::to_float(simd::exponent(x)) + simd::select(upper, T(1.0f), 0.0f);
  const T s = (m - 1.0f) / (m + 1.0f);
  const T p = simd::polynomial(simd::pinned(s * s), 0x1.715476p+1f, 0x1.ec70e6p-1f, 0x1.274702p-1f, 0x1.ba1e46p-2f);
  T y = k + simd::pinned(s * p);
  y = simd::select(bits >= IntOf<T>(0x7f800000), x, y);
  y = simd::select(bits < IntOf<T>(0), T(std::numeric_limits<float>::quiet_NaN()), y);
  return simd::select((bits & 0x7fffffff) == IntOf<T>(0), T(-infinity), y);
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
