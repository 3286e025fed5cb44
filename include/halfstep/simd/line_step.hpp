#pragma once

/// \file
/// Vector steps that read packed lines in place: what a product of a few rows does, which no filled panel would pay
/// for, and what small weights allow where there is no exact u8 x s8 instruction.
///
/// A register takes a whole line or half of one: 16 or 8 columns x 4 k of s8, or x 8 k of 4-bit codes. The activations
/// of a row that go with it are 4 bytes in every 32 bits. A *sum* struct says how wide it is (`bytes`), up to which
/// magnitude of weights it is exact (`largest_value`), how many registers it takes, and adds `a * w` to its columns;
/// its `Table` looks up what codes stand for. Sums begin with `clear`: default initializers would make g++ 12 fill an
/// array of them in a loop, and keep it in memory.

#include "halfstep/config.hpp"

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

#if defined(__AVX2__)

/// Registers of 32 bytes: half a line.
struct HalfLine {
  using Register = __m256i;
  using Table = Register;
  static constexpr int bytes = 32;

  [[gnu::always_inline]] static Register load(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  /// Four activations in every 32 bits.
  [[gnu::always_inline]] static Register activations(const std::uint8_t* a) {
    std::int32_t four;
    std::memcpy(&four, a, 4);
    return _mm256_set1_epi32(four);
  }
  /// 16 values as `low_values` and `high_values` look them up.
  [[gnu::always_inline]] static Register table(const std::int8_t* values) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
  }
  /// What 4-bit codes stand for: k 0-3 of each column, and k 4-7.
  [[gnu::always_inline]] static Register low_values(Register table, Register codes) {
    return _mm256_shuffle_epi8(table, _mm256_and_si256(codes, _mm256_set1_epi8(15)));
  }
  [[gnu::always_inline]] static Register high_values(Register table, Register codes) {
    return _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(codes, 4), _mm256_set1_epi8(15)));
  }
  /// Adds one sum per column to d, or sets d.
  [[gnu::always_inline]] static void store(std::int32_t* d, Register sums, int accumulate) {
    auto* const at = reinterpret_cast<__m256i*>(d);
    _mm256_storeu_si256(at, accumulate != 0 ? _mm256_add_epi32(_mm256_loadu_si256(at), sums) : sums);
  }
};

/// Weights of magnitude 32 at most: two steps of pmaddubsw fit 16 bits, 4 * 255 * 32 < 2^15.
struct SmallLineSums : HalfLine {
  static constexpr int largest_value = 32;
  static constexpr int registers = 1;
  Register sum;

  [[gnu::always_inline]] void clear() { sum = _mm256_setzero_si256(); }
  [[gnu::always_inline]] void add(Register a, Register w) { add_pairs(_mm256_maddubs_epi16(a, w)); }
  /// k 0-3 and k 4-7 at once.
  [[gnu::always_inline]] void add(Register a, Register w, Register a2, Register w2) {
    add_pairs(_mm256_add_epi16(_mm256_maddubs_epi16(a, w), _mm256_maddubs_epi16(a2, w2)));
  }
  [[gnu::always_inline]] void store_to(std::int32_t* d, int accumulate) const { store(d, sum, accumulate); }

 private:
  [[gnu::always_inline]] void add_pairs(Register pairs) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

/// Any s8 weights, through 16 bits: sums of k 0-1 and k 2-3 apart, of columns 0-3 and 4-7.
struct WideLineSums : HalfLine {
  static constexpr int largest_value = 128;
  static constexpr int registers = 2;
  Register first, second;

  [[gnu::always_inline]] void clear() { first = second = _mm256_setzero_si256(); }
  [[gnu::always_inline]] void add(Register a, Register w) {
    const Register words = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(a));
    first = _mm256_add_epi32(first, _mm256_madd_epi16(words, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(w))));
    second = _mm256_add_epi32(second, _mm256_madd_epi16(words, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(w, 1))));
  }
  [[gnu::always_inline]] void add(Register a, Register w, Register a2, Register w2) {
    add(a, w);
    add(a2, w2);
  }
  [[gnu::always_inline]] void store_to(std::int32_t* d, int accumulate) const {
    store(d, _mm256_permute4x64_epi64(_mm256_hadd_epi32(first, second), 0xd8), accumulate);
  }
};

/// 4-bit codes of any s8 values, each looked up as 4 h + l with |h| <= 32 and |l| <= 2: two steps of pmaddubsw with h
/// fit 16 bits, as in `SmallLineSums`, and so do those with l. Of lines of codes only.
struct SplitTableSums : HalfLine {
  static constexpr int largest_value = 128;
  static constexpr int registers = 1;
  struct Table {
    Register high, low;
  };
  struct Values {
    Register high, low;
  };
  Register sum;

  [[gnu::always_inline]] static Table table(const std::int8_t* values) {
    std::int8_t high[16], low[16];
    for (int i = 0; i < 16; ++i) {
      high[i] = static_cast<std::int8_t>((values[i] + 2) >> 2);
      low[i] = static_cast<std::int8_t>(values[i] - 4 * high[i]);
    }
    return {HalfLine::table(high), HalfLine::table(low)};
  }
  [[gnu::always_inline]] static Values low_values(const Table& table, Register codes) {
    return {HalfLine::low_values(table.high, codes), HalfLine::low_values(table.low, codes)};
  }
  [[gnu::always_inline]] static Values high_values(const Table& table, Register codes) {
    return {HalfLine::high_values(table.high, codes), HalfLine::high_values(table.low, codes)};
  }
  [[gnu::always_inline]] void clear() { sum = _mm256_setzero_si256(); }
  /// k 0-3 and k 4-7 at once.
  [[gnu::always_inline]] void add(Register a, const Values& w, Register a2, const Values& w2) {
    add_pairs(_mm256_add_epi16(_mm256_maddubs_epi16(a, w.high), _mm256_maddubs_epi16(a2, w2.high)), 4);
    add_pairs(_mm256_add_epi16(_mm256_maddubs_epi16(a, w.low), _mm256_maddubs_epi16(a2, w2.low)), 1);
  }
  [[gnu::always_inline]] void store_to(std::int32_t* d, int accumulate) const { store(d, sum, accumulate); }

 private:
  [[gnu::always_inline]] void add_pairs(Register pairs, short factor) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(factor)));
  }
};

/// Sums of pairs in 16 bits, which hold `steps(largest_value)` steps before they move to int32.
struct ShortLineSums : HalfLine {
  Register sum;

  [[gnu::always_inline]] void clear() { sum = _mm256_setzero_si256(); }
  /// A step adds two products to each sum: 2 * 255 * largest_value * steps < 2^15.
  static constexpr int steps(int largest_value) { return 32767 / (2 * 255 * largest_value); }
  [[gnu::always_inline]] void add(Register a, Register w) {
    const Register pairs = _mm256_maddubs_epi16(a, w);
#if defined(__GNUC__)
    // As in `TileStepAvx2::step`: g++ would add into the register of the products and move the sum back.
    asm volatile("vpaddw %[pairs], %[sum], %[sum]" : [sum] "+x"(sum) : [pairs] "x"(pairs));
#else
    sum = _mm256_add_epi16(sum, pairs);
#endif
  }
  [[gnu::always_inline]] void add_to(std::int32_t* d) const {
    store(d, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)), 1);
  }
};

#endif

#if defined(__AVXVNNI__) && defined(__AVX2__)
/// vpdpbusd on half a line. Two sums, so that a step need not wait for the one before.
struct VnniHalfLineSums : HalfLine {
  static constexpr int largest_value = 128;
  static constexpr int registers = 2;
  Register sum, more;

  [[gnu::always_inline]] void clear() { sum = more = _mm256_setzero_si256(); }
  [[gnu::always_inline]] void add(Register a, Register w) { sum = _mm256_dpbusd_avx_epi32(sum, a, w); }
  [[gnu::always_inline]] void add(Register a, Register w, Register a2, Register w2) {
    sum = _mm256_dpbusd_avx_epi32(sum, a, w);
    more = _mm256_dpbusd_avx_epi32(more, a2, w2);
  }
  [[gnu::always_inline]] void store_to(std::int32_t* d, int accumulate) const {
    store(d, _mm256_add_epi32(sum, more), accumulate);
  }
};
#endif

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
/// vpdpbusd on a whole line.
struct VnniLineSums {
  using Register = __m512i;
  using Table = Register;
  static constexpr int bytes = 64;
  static constexpr int largest_value = 128;
  static constexpr int registers = 2;
  Register sum, more;

  [[gnu::always_inline]] void clear() { sum = more = _mm512_setzero_si512(); }
  [[gnu::always_inline]] static Register load(const void* p) { return _mm512_loadu_si512(p); }
  [[gnu::always_inline]] static Register activations(const std::uint8_t* a) {
    std::int32_t four;
    std::memcpy(&four, a, 4);
    return _mm512_set1_epi32(four);
  }
  [[gnu::always_inline]] static Register table(const std::int8_t* values) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
  }
  [[gnu::always_inline]] static Register low_values(Register table, Register codes) {
    return _mm512_shuffle_epi8(table, _mm512_and_si512(codes, _mm512_set1_epi8(15)));
  }
  [[gnu::always_inline]] static Register high_values(Register table, Register codes) {
    return _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(codes, 4), _mm512_set1_epi8(15)));
  }
  [[gnu::always_inline]] void add(Register a, Register w) { sum = _mm512_dpbusd_epi32(sum, a, w); }
  [[gnu::always_inline]] void add(Register a, Register w, Register a2, Register w2) {
    sum = _mm512_dpbusd_epi32(sum, a, w);
    more = _mm512_dpbusd_epi32(more, a2, w2);
  }
  [[gnu::always_inline]] void store_to(std::int32_t* d, int accumulate) const {
    const Register all = _mm512_add_epi32(sum, more);
    _mm512_storeu_si512(d, accumulate != 0 ? _mm512_add_epi32(_mm512_loadu_si512(d), all) : all);
  }
};
#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
