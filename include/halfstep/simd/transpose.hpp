#pragma once

/// \file
/// Square blocks of floats, rows against columns, in registers.

#include "halfstep/config.hpp"

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

/// Rows and columns of a block: 8 with AVX, else 4. A divisor of 16.
#if defined(__AVX__)
inline constexpr std::int64_t transpose_size = 8;
#else
inline constexpr std::int64_t transpose_size = 4;
#endif

/// `to[j * to_stride + i] = from[i * from_stride + j]`, i and j below `transpose_size`. Pointers may be unaligned; the
/// blocks may not overlap. Class: exact.
inline void transpose_block(const float* from, std::int64_t from_stride, float* to, std::int64_t to_stride) {
#if defined(__AVX__)
  __m256 pair[8], quad[8];
  for (int i = 0; i < 4; ++i) {  // rows i and i + 4, so that halves need no exchange in the end
    const auto row = [&](int r, int half) { return _mm_loadu_ps(from + r * from_stride + 4 * half); };
    pair[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(row(i, 0)), row(i + 4, 0), 1);
    pair[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(row(i, 1)), row(i + 4, 1), 1);
  }
  for (int half = 0; half < 8; half += 4) {
    const __m256 a = _mm256_unpacklo_ps(pair[half], pair[half + 1]);
    const __m256 b = _mm256_unpackhi_ps(pair[half], pair[half + 1]);
    const __m256 c = _mm256_unpacklo_ps(pair[half + 2], pair[half + 3]);
    const __m256 d = _mm256_unpackhi_ps(pair[half + 2], pair[half + 3]);
    quad[half] = _mm256_shuffle_ps(a, c, 0x44);
    quad[half + 1] = _mm256_shuffle_ps(a, c, 0xee);
    quad[half + 2] = _mm256_shuffle_ps(b, d, 0x44);
    quad[half + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int j = 0; j < 8; ++j) _mm256_storeu_ps(to + j * to_stride, quad[j]);
#elif defined(__SSE2__)
  __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + from_stride), c = _mm_loadu_ps(from + 2 * from_stride),
         d = _mm_loadu_ps(from + 3 * from_stride);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(to, a);
  _mm_storeu_ps(to + to_stride, b);
  _mm_storeu_ps(to + 2 * to_stride, c);
  _mm_storeu_ps(to + 3 * to_stride, d);
#elif defined(__ARM_NEON) && defined(__aarch64__)
  const float32x4_t a = vld1q_f32(from), b = vld1q_f32(from + from_stride), c = vld1q_f32(from + 2 * from_stride),
                    d = vld1q_f32(from + 3 * from_stride);
  const float64x2_t ab_low = vreinterpretq_f64_f32(vtrn1q_f32(a, b)), ab_high = vreinterpretq_f64_f32(vtrn2q_f32(a, b));
  const float64x2_t cd_low = vreinterpretq_f64_f32(vtrn1q_f32(c, d)), cd_high = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
  vst1q_f32(to, vreinterpretq_f32_f64(vtrn1q_f64(ab_low, cd_low)));
  vst1q_f32(to + to_stride, vreinterpretq_f32_f64(vtrn1q_f64(ab_high, cd_high)));
  vst1q_f32(to + 2 * to_stride, vreinterpretq_f32_f64(vtrn2q_f64(ab_low, cd_low)));
  vst1q_f32(to + 3 * to_stride, vreinterpretq_f32_f64(vtrn2q_f64(ab_high, cd_high)));
#else
  for (std::int64_t i = 0; i < transpose_size; ++i) {
    for (std::int64_t j = 0; j < transpose_size; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
#endif
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
