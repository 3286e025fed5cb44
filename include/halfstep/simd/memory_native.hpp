#pragma once

/// \file
/// How a native batch comes from memory and goes there, with byte and float neighbours, per instruction set. All
/// pointers may be unaligned. The public functions are in simd/memory.hpp.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "halfstep/simd/batch.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

#if defined(HALFSTEP_SIMD_AVX512)

struct NativeMemory {
  static __mmask16 first(std::size_t n) { return static_cast<__mmask16>((1u << n) - 1u); }

  static FloatBatch load(const float* p) { return FloatBatch::of(_mm512_loadu_ps(p)); }
  static IntBatch load(const std::int32_t* p) { return IntBatch::of(_mm512_loadu_si512(p)); }
  static void store(float* p, FloatBatch x) { _mm512_storeu_ps(p, x.data); }
  static void store(std::int32_t* p, IntBatch k) { _mm512_storeu_si512(p, k.data); }
  static FloatBatch load_tail(const float* p, std::size_t n) {
    return FloatBatch::of(_mm512_maskz_loadu_ps(first(n), p));
  }
  static IntBatch load_tail(const std::int32_t* p, std::size_t n) {
    return IntBatch::of(_mm512_maskz_loadu_epi32(first(n), p));
  }
  static void store_tail(float* p, FloatBatch x, std::size_t n) { _mm512_mask_storeu_ps(p, first(n), x.data); }
  static void store_tail(std::int32_t* p, IntBatch k, std::size_t n) { _mm512_mask_storeu_epi32(p, first(n), k.data); }

  static __m128i bytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static IntBatch widen(const std::uint8_t* p) { return IntBatch::of(_mm512_cvtepu8_epi32(bytes(p))); }
  static IntBatch widen(const std::int8_t* p) { return IntBatch::of(_mm512_cvtepi8_epi32(bytes(p))); }
  static void narrow(void* p, IntBatch k) { _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(k.data)); }
  static void narrow(std::uint8_t* p, IntBatch a, IntBatch b, IntBatch c, IntBatch d) {
    narrow(p, a);
    narrow(p + 16, b);
    narrow(p + 32, c);
    narrow(p + 48, d);
  }
};

#elif defined(HALFSTEP_SIMD_AVX2)

struct NativeMemory {
  static __m256i first(std::size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  static FloatBatch load(const float* p) { return FloatBatch::of(_mm256_loadu_ps(p)); }
  static IntBatch load(const std::int32_t* p) {
    return IntBatch::of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store(float* p, FloatBatch x) { _mm256_storeu_ps(p, x.data); }
  static void store(std::int32_t* p, IntBatch k) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), k.data); }
  static FloatBatch load_tail(const float* p, std::size_t n) { return FloatBatch::of(_mm256_maskload_ps(p, first(n))); }
  static IntBatch load_tail(const std::int32_t* p, std::size_t n) {
    return IntBatch::of(_mm256_maskload_epi32(p, first(n)));
  }
  static void store_tail(float* p, FloatBatch x, std::size_t n) { _mm256_maskstore_ps(p, first(n), x.data); }
  static void store_tail(std::int32_t* p, IntBatch k, std::size_t n) { _mm256_maskstore_epi32(p, first(n), k.data); }

  static __m128i bytes(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
  static IntBatch widen(const std::uint8_t* p) { return IntBatch::of(_mm256_cvtepu8_epi32(bytes(p))); }
  static IntBatch widen(const std::int8_t* p) { return IntBatch::of(_mm256_cvtepi8_epi32(bytes(p))); }
  static __m128i halves_packed(IntBatch k) {
    return _mm_packs_epi32(_mm256_castsi256_si128(k.data), _mm256_extracti128_si256(k.data, 1));
  }
  static void narrow(std::uint8_t* p, IntBatch k) {
    const __m128i words = halves_packed(k);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
  static void narrow(std::int8_t* p, IntBatch k) {
    const __m128i words = halves_packed(k);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }
  static void narrow(std::uint8_t* p, IntBatch a, IntBatch b, IntBatch c, IntBatch d) {
    const __m256i packed = _mm256_packus_epi16(_mm256_packs_epi32(a.data, b.data), _mm256_packs_epi32(c.data, d.data));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // packing works within 128-bit halves
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(packed, order));
  }
};

#elif defined(HALFSTEP_SIMD_SSE)

struct NativeMemory {
  static FloatBatch load(const float* p) { return FloatBatch::of(_mm_loadu_ps(p)); }
  static IntBatch load(const std::int32_t* p) {
    return IntBatch::of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store(float* p, FloatBatch x) { _mm_storeu_ps(p, x.data); }
  static void store(std::int32_t* p, IntBatch k) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), k.data); }
  static FloatBatch load_tail(const float* p, std::size_t n) {
    float lanes[batch_lanes] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static IntBatch load_tail(const std::int32_t* p, std::size_t n) {
    std::int32_t lanes[batch_lanes] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store_tail(float* p, FloatBatch x, std::size_t n) {
    float lanes[batch_lanes];
    store(lanes, x);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static void store_tail(std::int32_t* p, IntBatch k, std::size_t n) {
    std::int32_t lanes[batch_lanes];
    store(lanes, k);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }

  static __m128i bytes(const void* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return _mm_cvtsi32_si128(four);
  }
  static IntBatch widen(const std::uint8_t* p) {
    const __m128i zero = _mm_setzero_si128();
    return IntBatch::of(_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes(p), zero), zero));
  }
  static IntBatch widen(const std::int8_t* p) {
    const __m128i zero = _mm_setzero_si128();  // each byte to the top of its int32, then down again with its sign
    return IntBatch::of(_mm_srai_epi32(_mm_unpacklo_epi16(zero, _mm_unpacklo_epi8(zero, bytes(p))), 24));
  }
  static void store_four(void* p, __m128i packed) {
    const std::int32_t four = _mm_cvtsi128_si32(packed);
    std::memcpy(p, &four, sizeof four);
  }
  static void narrow(std::uint8_t* p, IntBatch k) {
    const __m128i words = _mm_packs_epi32(k.data, k.data);
    store_four(p, _mm_packus_epi16(words, words));
  }
  static void narrow(std::int8_t* p, IntBatch k) {
    const __m128i words = _mm_packs_epi32(k.data, k.data);
    store_four(p, _mm_packs_epi16(words, words));
  }
  static void narrow(std::uint8_t* p, IntBatch a, IntBatch b, IntBatch c, IntBatch d) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packus_epi16(_mm_packs_epi32(a.data, b.data), _mm_packs_epi32(c.data, d.data)));
  }
};

#elif defined(HALFSTEP_SIMD_NEON)

struct NativeMemory {
  static FloatBatch load(const float* p) { return FloatBatch::of(vld1q_f32(p)); }
  static IntBatch load(const std::int32_t* p) { return IntBatch::of(vld1q_s32(p)); }
  static void store(float* p, FloatBatch x) { vst1q_f32(p, x.data); }
  static void store(std::int32_t* p, IntBatch k) { vst1q_s32(p, k.data); }
  static FloatBatch load_tail(const float* p, std::size_t n) {
    float lanes[batch_lanes] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static IntBatch load_tail(const std::int32_t* p, std::size_t n) {
    std::int32_t lanes[batch_lanes] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store_tail(float* p, FloatBatch x, std::size_t n) {
    float lanes[batch_lanes];
    store(lanes, x);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static void store_tail(std::int32_t* p, IntBatch k, std::size_t n) {
    std::int32_t lanes[batch_lanes];
    store(lanes, k);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }

  static std::uint32_t four(const void* p) {
    std::uint32_t bytes;
    std::memcpy(&bytes, p, sizeof bytes);
    return bytes;
  }
  static IntBatch widen(const std::uint8_t* p) {
    const uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four(p))));
    return IntBatch::of(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words))));
  }
  static IntBatch widen(const std::int8_t* p) {
    const int16x8_t words = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four(p))));
    return IntBatch::of(vmovl_s16(vget_low_s16(words)));
  }
  static void narrow(void* p, IntBatch k) {
    const int16x4_t words = vmovn_s32(k.data);
    const std::uint32_t bytes = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(words, words))), 0);
    std::memcpy(p, &bytes, sizeof bytes);
  }
  static void narrow(std::uint8_t* p, IntBatch a, IntBatch b, IntBatch c, IntBatch d) {
    const int16x8_t low = vcombine_s16(vmovn_s32(a.data), vmovn_s32(b.data));
    const int16x8_t high = vcombine_s16(vmovn_s32(c.data), vmovn_s32(d.data));
    vst1q_u8(p, vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(low), vmovn_s16(high))));
  }
};

#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
