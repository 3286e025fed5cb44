#pragma once

/// \file
/// The arc tangent, from operations that every instruction set rounds alike. Class: exact.

#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/polynomial.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// atan(x) with a relative error of at most 3e-7. NaN stays; infinities give pi / 2.
///
/// Up to tan(pi / 8) an odd polynomial (Moshier, Cephes); up to tan(3 pi / 8) it is taken of (x - 1) / (x + 1) and
/// pi / 4 is added; beyond, of -1 / x and pi / 2.
template <FloatLanes T>
[[nodiscard]] T atan(T x) {
  const T magnitude = simd::abs(x);
  const auto steep = magnitude > T(2.41421356f);
  const auto middle = magnitude > T(0.41421356f);
  const T y =
      simd::select(steep, -1.0f / magnitude, simd::select(middle, (magnitude - 1.0f) / (magnitude + 1.0f), magnitude));
  const T start = simd::select(steep, T(0x1.921fb6p+0f), simd::select(middle, T(0x1.921fb6p-1f), 0.0f));
  const T z = simd::pinned(y * y);
  const T p = simd::polynomial(z, -3.33329491539e-1f, 1.99777106478e-1f, -1.38776856032e-1f, 8.05374449538e-2f);
  return simd::copy_sign(start + (y + simd::pinned(simd::pinned(p * z) * y)), x);
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
