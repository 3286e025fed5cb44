#pragma once

/// \file
/// `BitCount<Isa>`: registers of 64-bit words whose set bits are counted word by word, which is what a product of signs
/// is made of. All of class exact.
///
///     Words, words          a register, and how many 64-bit words it holds
///     load(p), all(word)    unaligned; the same word everywhere
///     differ(x, y)          x ^ y
///     Counts, none()        one 64-bit count for each word
///     add(counts, x)        plus the set bits of each word of x
///     store(p, counts)      as 64-bit integers
///
/// One instruction where the unit is compiled for AVX512_VPOPCNTDQ, cnt on NEON, elsewhere two look-ups of nibbles by
/// shuffles (SSSE3 and above) or std::popcount.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "halfstep/simd/isa.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

template <class Isa>
struct BitCount;

/// In plain C++; also for SSE2, which has no shuffle by variable bytes.
struct PlainBitCount {
  static constexpr std::size_t words = 2;
  struct Words {
    std::uint64_t word[words];
  };
  using Counts = Words;

  static Words load(const std::uint64_t* p) {
    Words x;
    std::memcpy(x.word, p, sizeof x.word);
    return x;
  }
  static Words all(std::uint64_t word) { return {{word, word}}; }
  static Words differ(Words x, Words y) { return {{x.word[0] ^ y.word[0], x.word[1] ^ y.word[1]}}; }
  static Counts none() { return {{0, 0}}; }
  static Counts add(Counts counts, Words x) {
    for (std::size_t i = 0; i < words; ++i) counts.word[i] += static_cast<std::uint64_t>(std::popcount(x.word[i]));
    return counts;
  }
  static void store(std::uint64_t* p, Counts counts) { std::memcpy(p, counts.word, sizeof counts.word); }
};

template <>
struct BitCount<isa::Generic> : PlainBitCount {};
template <>
struct BitCount<isa::Sse2> : PlainBitCount {};

#if defined(__SSSE3__)
/// Bits of a byte: those of its nibbles, looked up; psadbw sums the bytes of a word.
struct Ssse3BitCount {
  static constexpr std::size_t words = 2;
  using Words = __m128i;
  using Counts = __m128i;

  static Words load(const std::uint64_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static Words all(std::uint64_t word) { return _mm_set1_epi64x(static_cast<long long>(word)); }
  static Words differ(Words x, Words y) { return _mm_xor_si128(x, y); }
  static Counts none() { return _mm_setzero_si128(); }
  static Counts add(Counts counts, Words x) {
    const __m128i table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4), low = _mm_set1_epi8(15);
    const __m128i bytes = _mm_add_epi8(_mm_shuffle_epi8(table, _mm_and_si128(x, low)),
                                       _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(x, 4), low)));
    return _mm_add_epi64(counts, _mm_sad_epu8(bytes, _mm_setzero_si128()));
  }
  static void store(std::uint64_t* p, Counts counts) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), counts); }
};
template <>
struct BitCount<isa::Ssse3> : Ssse3BitCount {};
#endif
#if defined(__SSE4_1__)
template <>
struct BitCount<isa::Sse41> : Ssse3BitCount {};
#endif

#if defined(__AVX2__)
struct Avx2BitCount {
  static constexpr std::size_t words = 4;
  using Words = __m256i;
  using Counts = __m256i;

  static Words load(const std::uint64_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Words all(std::uint64_t word) { return _mm256_set1_epi64x(static_cast<long long>(word)); }
  static Words differ(Words x, Words y) { return _mm256_xor_si256(x, y); }
  static Counts none() { return _mm256_setzero_si256(); }
  static Counts add(Counts counts, Words x) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i bytes = _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                                          _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
    return _mm256_add_epi64(counts, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
  }
  static void store(std::uint64_t* p, Counts counts) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), counts); }
};
template <>
struct BitCount<isa::Avx2> : Avx2BitCount {};
template <>
struct BitCount<isa::AvxVnni> : Avx2BitCount {};
#endif

#if defined(__AVX512BW__)
struct Avx512BitCount {
  static constexpr std::size_t words = 8;
  using Words = __m512i;
  using Counts = __m512i;

  static Words load(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
  static Words all(std::uint64_t word) { return _mm512_set1_epi64(static_cast<long long>(word)); }
  static Words differ(Words x, Words y) { return _mm512_xor_si512(x, y); }
  static Counts none() { return _mm512_setzero_si512(); }
  static Counts add(Counts counts, Words x) {
#if defined(__AVX512VPOPCNTDQ__)
    return _mm512_add_epi64(counts, _mm512_popcnt_epi64(x));
#else
    const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low = _mm512_set1_epi8(15);
    const __m512i bytes = _mm512_add_epi8(_mm512_shuffle_epi8(table, _mm512_and_si512(x, low)),
                                          _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(x, 4), low)));
    return _mm512_add_epi64(counts, _mm512_sad_epu8(bytes, _mm512_setzero_si512()));
#endif
  }
  static void store(std::uint64_t* p, Counts counts) { _mm512_storeu_si512(p, counts); }
};
template <>
struct BitCount<isa::Avx512Bw> : Avx512BitCount {};
template <>
struct BitCount<isa::Avx512Vnni> : Avx512BitCount {};
#endif

#if defined(__aarch64__)
struct NeonBitCount {
  static constexpr std::size_t words = 2;
  using Words = uint64x2_t;
  using Counts = uint64x2_t;

  static Words load(const std::uint64_t* p) {
    return vreinterpretq_u64_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(p)));
  }
  static Words all(std::uint64_t word) { return vdupq_n_u64(word); }
  static Words differ(Words x, Words y) { return veorq_u64(x, y); }
  static Counts none() { return vdupq_n_u64(0); }
  static Counts add(Counts counts, Words x) {
    const uint16x8_t pairs = vpaddlq_u8(vcntq_u8(vreinterpretq_u8_u64(x)));
    return vpadalq_u32(counts, vpaddlq_u16(pairs));
  }
  static void store(std::uint64_t* p, Counts counts) {
    vst1q_u8(reinterpret_cast<std::uint8_t*>(p), vreinterpretq_u8_u64(counts));
  }
};
template <>
struct BitCount<isa::Neon> : NeonBitCount {};
template <>
struct BitCount<isa::NeonDot> : NeonBitCount {};
#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
