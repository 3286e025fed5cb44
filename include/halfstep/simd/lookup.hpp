#pragma once

/// \file
/// Values out of tables of floats or int32, one for each lane of an index. For tables of bytes see simd/bytes.hpp. All
/// of class exact.

#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// A table element: float or std::int32_t.
template <class E>
concept TableElement = std::same_as<E, float> || std::same_as<E, std::int32_t>;

/// What a look-up in a table of `E` by an index of type `T` gives.
template <class E, IntLanes T>
using LookupOf = std::conditional_t<std::same_as<E, float>, FloatOf<T>, T>;

// Without optimization g++'s gathers are macros, which convert a mask to a signed short.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

/// `table[index]` in each lane. Every index must be one of the table's. Loads each lane apart unless the instruction
/// set gathers.
template <TableElement E, IntLanes T>
[[nodiscard]] LookupOf<E, T> gather(const E* table, T index) {
  if constexpr (std::same_as<T, std::int32_t>) {
    return table[index];
#if defined(HALFSTEP_SIMD_AVX512)
  } else if constexpr (std::same_as<T, IntBatch>) {
    if constexpr (std::same_as<E, float>) {
      return FloatBatch::of(_mm512_i32gather_ps(index.data, table, 4));
    } else {
      return IntBatch::of(_mm512_i32gather_epi32(index.data, table, 4));
    }
#elif defined(HALFSTEP_SIMD_AVX2)
  } else if constexpr (std::same_as<T, IntBatch>) {
    if constexpr (std::same_as<E, float>) {
      return FloatBatch::of(_mm256_i32gather_ps(table, index.data, 4));
    } else {
      return IntBatch::of(_mm256_i32gather_epi32(table, index.data, 4));
    }
#endif
  } else {
    std::int32_t indices[lanes_of<T>];
    E values[lanes_of<T>];
    simd::store(indices, index);
    for (std::size_t i = 0; i < lanes_of<T>; ++i) values[i] = table[indices[i]];
    return simd::load<LookupOf<E, T>>(values);
  }
}

#pragma GCC diagnostic pop

#if defined(HALFSTEP_SIMD_AVX512)

/// Tables in pairs of registers of 16 entries, chosen by the higher index bits.
struct RegisterLookup {
  static constexpr std::size_t granularity = 16;
  static constexpr std::size_t largest = 64;

  template <std::size_t Entries>
  static __m512i at(const void* table, __m512i index) {
    const auto part = [&](std::size_t i) {
      return _mm512_loadu_si512(static_cast<const std::int32_t*>(table) + 16 * i);
    };
    if constexpr (Entries == 16) {
      return _mm512_permutexvar_epi32(index, part(0));
    } else {
      const __m512i low = _mm512_permutex2var_epi32(part(0), index, part(1));
      if constexpr (Entries == 32) return low;
      const __m512i high = _mm512_permutex2var_epi32(part(2), index, part(Entries == 64 ? 3 : 2));
      return _mm512_mask_blend_epi32(_mm512_cmpgt_epi32_mask(index, _mm512_set1_epi32(31)), low, high);
    }
  }
};

#elif defined(HALFSTEP_SIMD_AVX2)

/// Tables in registers of 8 entries, chosen by the higher index bits.
struct RegisterLookup {
  static constexpr std::size_t granularity = 8;
  static constexpr std::size_t largest = 32;

  template <std::size_t Entries>
  static __m256i at(const void* table, __m256i index) {
    const auto* parts = static_cast<const __m256i*>(table);
    __m256i value = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(parts), index);
    for (std::size_t i = 1; i < Entries / 8; ++i) {
      const __m256i above = _mm256_cmpgt_epi32(index, _mm256_set1_epi32(static_cast<int>(8 * i - 1)));
      const __m256i next = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(parts + i), index);
      // Not blendv_epi8: see select in ops_avx2.hpp.
      value = _mm256_castps_si256(
          _mm256_blendv_ps(_mm256_castsi256_ps(value), _mm256_castsi256_ps(next), _mm256_castsi256_ps(above)));
    }
    return value;
  }
};

#elif defined(HALFSTEP_SIMD_NEON)

/// Tables of 16 entries in four registers, looked up byte by byte.
struct RegisterLookup {
  static constexpr std::size_t granularity = 16;
  static constexpr std::size_t largest = 16;

  template <std::size_t Entries>
  static int32x4_t at(const void* table, int32x4_t index) {
    const auto* p = static_cast<const std::uint8_t*>(table);
    const uint8x16x4_t bytes = {{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}};
    const int32x4_t where = vmlaq_s32(vdupq_n_s32(0x03020100), index, vdupq_n_s32(0x04040404));
    return vreinterpretq_s32_u8(vqtbl4q_u8(bytes, vreinterpretq_u8_s32(where)));
  }
};

#endif

/// Whether one instruction looks up in a table of `Entries` elements, which the registers hold.
#if defined(HALFSTEP_SIMD_AVX512)
template <std::size_t Entries>
inline constexpr bool holds_table = Entries == 16 || Entries == 32;
#else
template <std::size_t Entries>
inline constexpr bool holds_table = false;
#endif

/// `table[index]` in each lane of a table of `Entries` elements, all of them readable. Every index must be in
/// [0, Entries). Small tables stay in registers (8 to 64 entries, as the instruction set has room), larger ones are
/// gathered from.
template <std::size_t Entries, TableElement E, IntLanes T>
[[nodiscard]] LookupOf<E, T> lookup(const E* table, T index) {
#if defined(HALFSTEP_SIMD_AVX512) || defined(HALFSTEP_SIMD_AVX2) || defined(HALFSTEP_SIMD_NEON)
  if constexpr (std::same_as<T, IntBatch> && Entries % RegisterLookup::granularity == 0 && Entries > 0 &&
                Entries <= RegisterLookup::largest) {
    const IntBatch bits = IntBatch::of(RegisterLookup::at<Entries>(table, index.data));
    if constexpr (std::same_as<E, float>) {
      return simd::from_bits(bits);
    } else {
      return bits;
    }
  } else
#endif
  {
    return simd::gather(table, index);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
