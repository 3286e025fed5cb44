#pragma once

/// \file
/// The vector step of an int8 tile kernel, per instruction set: u8 activations times s8 weights into int32, exactly.
///
/// A *route* is a struct of static functions over two operand forms:
///
///  * byte routes (VNNI, NEON dotprod): a step takes 4 k; weights are a 64-byte line of `PackedMatrix`, 16 columns x 4
///  k,
///    read in place, and activations are 4 bytes of a row, read in place.
///  * word routes (AVX-512BW, AVX2, SSE2): there is no exact u8 x s8 instruction (the one that exists saturates), so
///    both sides are widened to int16 once and a step takes 2 k: weights are 16 columns x 2 k of int16 (64 bytes), made
///    by `widen_line` when a panel is filled, activations are 2 int16. pmaddwd of |a| <= 255 and |b| <= 128 cannot
///    overflow: 2 * 255 * 128 < 2^31.
///
/// `lanes` columns fit one register; `step(acc, a, w)` adds the products of one step to them.

#include "halfstep/config.hpp"
#include "halfstep/simd/line_step.hpp"

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

/// Returns `acc`, and keeps the compiler from starting the next row before this one is done: left alone, g++ hoists all
/// products of a step before their additions, runs out of registers and moves the sums through memory.
template <class Acc>
[[gnu::always_inline]] inline Acc in_order(Acc acc) {
#if defined(__GNUC__) && defined(__AVX512F__)
  asm volatile("" : "+v"(acc));
#elif defined(__GNUC__) && defined(__SSE2__)
  asm volatile("" : "+x"(acc));
#elif defined(__GNUC__) && defined(__aarch64__)
  asm volatile("" : "+w"(acc));
#endif
  return acc;
}

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
/// AVX-512 VNNI: 16 columns x 4 k in one vpdpbusd.
struct TileStepAvx512Vnni {
  static constexpr const char* name = "avx512vnni";
  static constexpr int lanes = 16;
  static constexpr int k = 4;
  static constexpr int rows = 6;  ///< 6 x 4 accumulators, 4 weights, 1 activation: 29 of 32 registers
  static constexpr int vectors = 4;
  using FewRowsSums = VnniLineSums;
  using Acc = __m512i;
  using Value = __m512i;
  static Acc zero() { return _mm512_setzero_si512(); }
  static Acc load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static void store(std::int32_t* p, Acc x) { _mm512_storeu_si512(p, x); }
  static Value weights(const void* p) { return _mm512_loadu_si512(p); }
  static Value broadcast(const void* p) {
    std::int32_t bytes;
    std::memcpy(&bytes, p, 4);
    return _mm512_set1_epi32(bytes);
  }
  static Acc step(Acc acc, Value a, Value w) { return _mm512_dpbusd_epi32(acc, a, w); }
};
#endif

#if defined(__AVX512BW__)
/// AVX-512BW without VNNI: 16 columns x 2 k of int16.
struct TileStepAvx512Bw {
  static constexpr const char* name = "avx512bw";
  static constexpr int lanes = 16;
  static constexpr int k = 2;
  static constexpr int rows = 6;
  static constexpr int vectors = 4;
  using Acc = __m512i;
  using Value = __m512i;
  static Acc zero() { return _mm512_setzero_si512(); }
  static Acc load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static void store(std::int32_t* p, Acc x) { _mm512_storeu_si512(p, x); }
  static Value weights(const void* p) { return _mm512_loadu_si512(p); }
  static Value broadcast(const void* p) {
    std::int32_t words;
    std::memcpy(&words, p, 4);
    return _mm512_set1_epi32(words);
  }
  static Acc step(Acc acc, Value a, Value w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(a, w)); }
};
#endif

#if defined(__AVXVNNI__) && defined(__AVX2__)
/// AVX-VNNI: 8 columns x 4 k in one VEX vpdpbusd.
struct TileStepAvxVnni {
  static constexpr const char* name = "avxvnni";
  using FewRowsSums = VnniHalfLineSums;
  static constexpr int lanes = 8;
  static constexpr int k = 4;
  static constexpr int rows = 6;
  static constexpr int vectors = 2;
  using Acc = __m256i;
  using Value = __m256i;
  static Acc zero() { return _mm256_setzero_si256(); }
  static Acc load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store(std::int32_t* p, Acc x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static Value weights(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static Value broadcast(const void* p) {
    std::int32_t bytes;
    std::memcpy(&bytes, p, 4);
    return _mm256_set1_epi32(bytes);
  }
  static Acc step(Acc acc, Value a, Value w) { return _mm256_dpbusd_avx_epi32(acc, a, w); }
};
#endif

#if defined(__AVX2__)
/// AVX2: 8 columns x 2 k of int16.
struct TileStepAvx2 {
  static constexpr const char* name = "avx2";
  using SmallSums = SmallLineSums;
  using WideSums = WideLineSums;
  using WideCodeSums = SplitTableSums;
  using ShortSums = ShortLineSums;
  static constexpr int lanes = 8;
  static constexpr int k = 2;
  static constexpr int rows = 6;  ///< 6 x 2 accumulators, 2 weights, 1 activation: 15 of 16 registers
  static constexpr int vectors = 2;
  using Acc = __m256i;
  using Value = __m256i;
  static Acc zero() { return _mm256_setzero_si256(); }
  static Acc load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store(std::int32_t* p, Acc x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static Value weights(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static Value broadcast(const void* p) {
    std::int32_t words;
    std::memcpy(&words, p, 4);
    return _mm256_set1_epi32(words);
  }
  static Acc step(Acc acc, Value a, Value w) {
    const Value products = _mm256_madd_epi16(a, w);
#if defined(__GNUC__)
    // g++ would add into the register of the products and move the sum back: a third more instructions in the loop.
    asm("vpaddd %[acc], %[products], %[acc]" : [acc] "+x"(acc) : [products] "x"(products));
    return acc;
#else
    return _mm256_add_epi32(acc, products);
#endif
  }
};
#endif

#if defined(__SSE2__)
/// Baseline x86-64: 4 columns x 2 k of int16.
struct TileStepSse2 {
  static constexpr const char* name = "sse2";
  static constexpr int lanes = 4;
  static constexpr int k = 2;
  static constexpr int rows = 2;  ///< 2 x 4 accumulators, 4 weights, 1 activation and its copies
  static constexpr int vectors = 4;
  using Acc = __m128i;
  using Value = __m128i;
  static Acc zero() { return _mm_setzero_si128(); }
  static Acc load(const std::int32_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static void store(std::int32_t* p, Acc x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), x); }
  static Value weights(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static Value broadcast(const void* p) {
    std::int32_t words;
    std::memcpy(&words, p, 4);
    return _mm_set1_epi32(words);
  }
  static Acc step(Acc acc, Value a, Value w) { return _mm_add_epi32(acc, _mm_madd_epi16(a, w)); }
};
#endif

/// One line of bytes, 16 columns x 4 k, as two lines of int16, 16 columns x 2 k each.
inline void widen_line(const std::uint8_t* line, std::int16_t* first, std::int16_t* second) {
#if defined(__SSE2__)
  for (int quarter = 0; quarter < 4; ++quarter) {  // 4 columns
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(line + 16 * quarter));
    const __m128i low = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);   // c0 k0-3, c1 k0-3
    const __m128i high = _mm_srai_epi16(_mm_unpackhi_epi8(bytes, bytes), 8);  // c2 k0-3, c3 k0-3
    const __m128 a = _mm_castsi128_ps(low), b = _mm_castsi128_ps(high);
    const __m128i pair0 = _mm_castps_si128(_mm_shuffle_ps(a, b, 0x88));  // k0 k1 of c0 .. c3
    const __m128i pair1 = _mm_castps_si128(_mm_shuffle_ps(a, b, 0xdd));  // k2 k3
    _mm_storeu_si128(reinterpret_cast<__m128i*>(first + 8 * quarter), pair0);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(second + 8 * quarter), pair1);
  }
#else
  for (int column = 0; column < 16; ++column) {
    for (int k = 0; k < 2; ++k) {
      first[2 * column + k] = static_cast<std::int8_t>(line[4 * column + k]);
      second[2 * column + k] = static_cast<std::int8_t>(line[4 * column + 2 + k]);
    }
  }
#endif
}

/// `n` bytes as int16, n a multiple of 16.
inline void widen_bytes(const std::uint8_t* bytes, std::int64_t n, std::int16_t* words) {
#if defined(__SSE2__)
  const __m128i zero = _mm_setzero_si128();
  for (std::int64_t i = 0; i < n; i += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words + i), _mm_unpacklo_epi8(x, zero));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words + i + 8), _mm_unpackhi_epi8(x, zero));
  }
#else
  for (std::int64_t i = 0; i < n; ++i) words[i] = bytes[i];
#endif
}

/// A line of nibbles, 16 columns x 8 k, as two lines of bytes: `low` k 0-3, `high` k 4-7, through a table of 16 values.
inline void decode_nibble_line(const std::uint8_t* line, const std::int8_t* values, std::uint8_t* low,
                               std::uint8_t* high) {
#if defined(__AVX512BW__)
  const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
  const __m512i mask = _mm512_set1_epi8(15);
  const __m512i codes = _mm512_loadu_si512(line);
  _mm512_storeu_si512(low, _mm512_shuffle_epi8(table, _mm512_and_si512(codes, mask)));
  _mm512_storeu_si512(high, _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(codes, 4), mask)));
#elif defined(__AVX2__)
  const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
  const __m256i mask = _mm256_set1_epi8(15);
  for (int half = 0; half < 2; ++half) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line + 32 * half));
    const __m256i high_codes = _mm256_and_si256(_mm256_srli_epi16(codes, 4), mask);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(low + 32 * half),
                        _mm256_shuffle_epi8(table, _mm256_and_si256(codes, mask)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + 32 * half), _mm256_shuffle_epi8(table, high_codes));
  }
#elif defined(__SSSE3__)
  const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
  const __m128i mask = _mm_set1_epi8(15);
  for (int part = 0; part < 4; ++part) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(line + 16 * part));
    const __m128i high_codes = _mm_and_si128(_mm_srli_epi16(codes, 4), mask);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low + 16 * part), _mm_shuffle_epi8(table, _mm_and_si128(codes, mask)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high + 16 * part), _mm_shuffle_epi8(table, high_codes));
  }
#elif defined(__ARM_NEON) && defined(__aarch64__)
  const int8x16_t table = vld1q_s8(values);
  for (int part = 0; part < 4; ++part) {
    const uint8x16_t codes = vld1q_u8(line + 16 * part);
    vst1q_u8(low + 16 * part, vreinterpretq_u8_s8(vqtbl1q_s8(table, vandq_u8(codes, vdupq_n_u8(15)))));
    vst1q_u8(high + 16 * part, vreinterpretq_u8_s8(vqtbl1q_s8(table, vshrq_n_u8(codes, 4))));
  }
#else
  for (int i = 0; i < 64; ++i) {
    low[i] = static_cast<std::uint8_t>(values[line[i] & 15]);
    high[i] = static_cast<std::uint8_t>(values[line[i] >> 4]);
  }
#endif
}

/// No register tile: the kernel in plain C++ runs.
struct TileStepNone {
  static constexpr int k = 0;
};

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
using BestTileStep = TileStepAvx512Vnni;
#elif defined(__AVX512BW__)
using BestTileStep = TileStepAvx512Bw;
#elif defined(__AVXVNNI__) && defined(__AVX2__)
using BestTileStep = TileStepAvxVnni;
#elif defined(__AVX2__)
using BestTileStep = TileStepAvx2;
#elif defined(__SSE2__)
using BestTileStep = TileStepSse2;
#else
using BestTileStep = TileStepNone;
#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
