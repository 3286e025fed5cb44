#pragma once

/// \file
/// `ByteOps<Isa>`: registers of packed bytes, which decode few-bit codes: nibbles apart, and values out of a table. All
/// of class exact.
///
///     Register, size               as many bytes as DotStep<Isa>::Bytes, and the same type
///     load, store                  unaligned
///     low_nibbles(x)               x & 15 of each byte
///     high_nibbles(x)              x >> 4 of each byte
///     Table                        16 bytes, ready to be looked up in
///     table(const void*)           16 bytes from memory
///     lookup16(Table, x)           table[x] for each byte; every x must be below 16
///     lookup16_or(Table, b, x, y)  y | table[x - 16 b] where x is in [16 b, 16 b + 16), y elsewhere, for b < 16:
///                                  a larger table, block by block (see `lookup_bytes`)

#include "halfstep/simd/dot.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

template <class Isa>
struct ByteOps;

/// In plain C++; also for SSE2, which has no shuffle by variable bytes.
template <class Isa>
struct PlainByteOps {
  using Register = typename DotStep<Isa>::Bytes;
  static constexpr std::size_t size = sizeof(Register);
  struct Table {
    std::uint8_t entry[16];
  };

  static Register load(const void* p) { return DotStep<Isa>::load_bytes(p); }
  static void store(void* p, Register x) { std::memcpy(p, &x, size); }
  static Register low_nibbles(Register x) {
    return each(x, x, [](unsigned v, unsigned) { return v & 15u; });
  }
  static Register high_nibbles(Register x) {
    return each(x, x, [](unsigned v, unsigned) { return v >> 4; });
  }
  static Table table(const void* p) {
    Table t;
    std::memcpy(t.entry, p, sizeof t.entry);
    return t;
  }
  static Register lookup16(const Table& t, Register x) {
    return each(x, x, [&](unsigned v, unsigned) { return unsigned{t.entry[v & 15u]}; });
  }
  static Register lookup16_or(const Table& t, unsigned block, Register x, Register y) {
    return each(x, y, [&](unsigned v, unsigned w) { return v >> 4 == block ? w | t.entry[v & 15u] : w; });
  }

 private:
  template <class F>
  static Register each(Register x, Register y, F f) {
    std::uint8_t a[size], b[size];
    store(a, x);
    store(b, y);
    for (std::size_t i = 0; i < size; ++i) a[i] = static_cast<std::uint8_t>(f(a[i], b[i]));
    return load(a);
  }
};

template <>
struct ByteOps<isa::Generic> : PlainByteOps<isa::Generic> {};

#if defined(__SSE2__)
template <>
struct ByteOps<isa::Sse2> : PlainByteOps<isa::Sse2> {
  static Register low_nibbles(Register x) { return _mm_and_si128(x, _mm_set1_epi8(15)); }
  static Register high_nibbles(Register x) { return low_nibbles(_mm_srli_epi16(x, 4)); }
};
#endif

#if defined(__SSSE3__)
/// By pshufb, which gives 0 where an index has its top bit set.
struct Ssse3ByteOps : ByteOps<isa::Sse2> {
  using Table = __m128i;
  static Table table(const void* p) { return load(p); }
  static Register lookup16(Table t, Register x) { return _mm_shuffle_epi8(t, x); }
  static Register lookup16_or(Table t, unsigned block, Register x, Register y) {
    const Register moved = _mm_xor_si128(x, _mm_set1_epi8(static_cast<char>(block << 4)));
    return _mm_or_si128(y, _mm_shuffle_epi8(t, _mm_adds_epu8(moved, _mm_set1_epi8(0x70))));
  }
};
template <>
struct ByteOps<isa::Ssse3> : Ssse3ByteOps {};
#endif
#if defined(__SSE4_1__)
template <>
struct ByteOps<isa::Sse41> : Ssse3ByteOps {};
#endif

#if defined(__AVX2__)
struct Avx2ByteOps {
  using Register = __m256i;
  using Table = __m256i;
  static constexpr std::size_t size = 32;

  static Register load(const void* p) { return X86Vector<32>::load(p); }
  static void store(void* p, Register x) { X86Vector<32>::store(p, x); }
  static Register low_nibbles(Register x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static Register high_nibbles(Register x) { return low_nibbles(_mm256_srli_epi16(x, 4)); }
  static Table table(const void* p) { return _mm256_broadcastsi128_si256(X86Vector<16>::load(p)); }
  static Register lookup16(Table t, Register x) { return _mm256_shuffle_epi8(t, x); }
  static Register lookup16_or(Table t, unsigned block, Register x, Register y) {
    const Register moved = _mm256_xor_si256(x, _mm256_set1_epi8(static_cast<char>(block << 4)));
    return _mm256_or_si256(y, _mm256_shuffle_epi8(t, _mm256_adds_epu8(moved, _mm256_set1_epi8(0x70))));
  }
};
template <>
struct ByteOps<isa::Avx2> : Avx2ByteOps {};
template <>
struct ByteOps<isa::AvxVnni> : Avx2ByteOps {};
#endif

#if defined(__AVX512BW__)
struct Avx512ByteOps {
  using Register = __m512i;
  using Table = __m512i;
  static constexpr std::size_t size = 64;

  static Register load(const void* p) { return X86Vector<64>::load(p); }
  static void store(void* p, Register x) { X86Vector<64>::store(p, x); }
  static Register low_nibbles(Register x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
  static Register high_nibbles(Register x) { return low_nibbles(_mm512_srli_epi16(x, 4)); }
  static Table table(const void* p) { return _mm512_broadcast_i32x4(X86Vector<16>::load(p)); }
  static Register lookup16(Table t, Register x) { return _mm512_shuffle_epi8(t, x); }
  static Register lookup16_or(Table t, unsigned block, Register x, Register y) {
    const Register moved = _mm512_xor_si512(x, _mm512_set1_epi8(static_cast<char>(block << 4)));
    return _mm512_or_si512(y, _mm512_shuffle_epi8(t, _mm512_adds_epu8(moved, _mm512_set1_epi8(0x70))));
  }
};
template <>
struct ByteOps<isa::Avx512Bw> : Avx512ByteOps {};
template <>
struct ByteOps<isa::Avx512Vnni> : Avx512ByteOps {};
#endif

#if defined(__aarch64__)
/// By tbl, which gives 0 for an index outside the table.
struct NeonByteOps {
  using Register = uint8x16_t;
  using Table = uint8x16_t;
  static constexpr std::size_t size = 16;

  static Register load(const void* p) { return vld1q_u8(static_cast<const std::uint8_t*>(p)); }
  static void store(void* p, Register x) { vst1q_u8(static_cast<std::uint8_t*>(p), x); }
  static Register low_nibbles(Register x) { return vandq_u8(x, vdupq_n_u8(15)); }
  static Register high_nibbles(Register x) { return vshrq_n_u8(x, 4); }
  static Table table(const void* p) { return load(p); }
  static Register lookup16(Table t, Register x) { return vqtbl1q_u8(t, x); }
  static Register lookup16_or(Table t, unsigned block, Register x, Register y) {
    return vorrq_u8(y, vqtbl1q_u8(t, veorq_u8(x, vdupq_n_u8(static_cast<std::uint8_t>(block << 4)))));
  }
};
template <>
struct ByteOps<isa::Neon> : NeonByteOps {};
template <>
struct ByteOps<isa::NeonDot> : NeonByteOps {};
#endif

/// A table of `Entries` bytes (16, 32, 64, 128 or 256) held in registers.
template <std::size_t Entries, class Isa = NativeIsa>
struct ByteTable {
  static_assert(Entries % 16 == 0 && Entries >= 16 && Entries <= 256, "a table has 16, 32, ..., 256 entries");
  static constexpr std::size_t blocks = Entries / 16;
  typename ByteOps<Isa>::Table block[blocks];

  explicit ByteTable(const void* entries) {
    const auto* p = static_cast<const std::uint8_t*>(entries);
    for (std::size_t b = 0; b < blocks; ++b) block[b] = ByteOps<Isa>::table(p + 16 * b);
  }
};

/// `table[x]` for each byte x, which must be below `Entries`. One shuffle for 16 entries, else four instructions for
/// each 16.
template <std::size_t Entries, class Isa>
[[nodiscard]] typename ByteOps<Isa>::Register lookup_bytes(const ByteTable<Entries, Isa>& table,
                                                           typename ByteOps<Isa>::Register x) {
  using Ops = ByteOps<Isa>;
  if constexpr (Entries == 16) {
    return Ops::lookup16(table.block[0], x);
  } else {
    typename Ops::Register y{};
    for (std::size_t b = 0; b < table.blocks; ++b) {
      y = Ops::lookup16_or(table.block[b], static_cast<unsigned>(b), x, y);
    }
    return y;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
