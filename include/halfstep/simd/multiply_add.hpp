#pragma once

/// \file
/// `multiply_add`: a * b + c, rounded once where the instruction set can, twice where it cannot.

#include "halfstep/simd/batch.hpp"
#include "halfstep/simd/pinned.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// Whether `multiply_add` rounds once: with FMA on x86, always on AArch64.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
inline constexpr bool fuses_multiply_add = true;
#else
inline constexpr bool fuses_multiply_add = false;
#endif

/// `a * b + c` in each lane, for a float and for a batch with the same bits. Class: exact for builds that agree in
/// `fuses_multiply_add`.
template <FloatLanes T>
[[gnu::always_inline]] inline T multiply_add(T a, T b, T c) {
  if constexpr (!fuses_multiply_add) {
    return simd::pinned(a * b) + c;
  } else if constexpr (std::same_as<T, float>) {
    return __builtin_fmaf(a, b, c);
#if !defined(HALFSTEP_SIMD_GENERIC)
  } else if constexpr (std::same_as<T, FloatBatch>) {
#if defined(HALFSTEP_SIMD_AVX512)
    return FloatBatch::of(_mm512_fmadd_ps(a.data, b.data, c.data));
#elif defined(HALFSTEP_SIMD_AVX2)
    return FloatBatch::of(_mm256_fmadd_ps(a.data, b.data, c.data));
#elif defined(HALFSTEP_SIMD_NEON)
    return FloatBatch::of(vfmaq_f32(c.data, a.data, b.data));
#else
    return FloatBatch::of(_mm_fmadd_ps(a.data, b.data, c.data));
#endif
#endif
  } else {
    T r;
    for (std::size_t i = 0; i < T::size; ++i) r.lane[i] = simd::multiply_add(a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
