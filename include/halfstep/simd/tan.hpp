#pragma once

/// \file
/// The tangent, from operations that every instruction set rounds alike. Class: exact.

#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/polynomial.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// tan(x) for |x| <= pi / 2 (the float next to it, 1.57079637, included) with a relative error of at most 5e-7. NaN
/// stays; a greater |x| gives nothing of use.
///
/// Up to pi / 4 an odd polynomial, least in greatest relative error (Remez); above, 1 / tan(pi / 2 - |x|) with pi / 2
/// in two parts.
template <FloatLanes T>
[[nodiscard]] T tan(T x) {
  constexpr float half_pi_high = 0x1.921fb6p+0f;
  constexpr float half_pi_low = -0x1.777a5cp-25f;
  const T magnitude = simd::abs(x);
  const auto steep = magnitude > T(0x1.921fb6p-1f);
  const T y = simd::select(steep, (half_pi_high - magnitude) + half_pi_low, magnitude);
  const T z = simd::pinned(y * y);
  const T p = simd::polynomial(z, 0x1.5554dep-2f, 0x1.112e14p-3f, 0x1.b57f8cp-5f, 0x1.909ae2p-6f, 0x1.94793ap-9f,
                               0x1.343636p-7f);
  const T t = y + simd::pinned(simd::pinned(z * p) * y);
  const IntOf<T> sign = simd::to_bits(x) & static_cast<std::int32_t>(0x80000000);
  return simd::from_bits(simd::to_bits(simd::select(steep, 1.0f / t, t)) ^ sign);  // beyond pi / 2, t is negative
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
