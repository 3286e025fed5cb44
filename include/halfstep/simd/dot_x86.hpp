#pragma once

/// \file
/// The steps of byte products on x86 without a byte-product instruction, for registers of 16, 32 and 64
/// bytes.
///
/// pmaddubsw (unsigned times signed bytes, pairs summed into int16) is not used: it saturates at 255 * 127 * 2. Instead
/// both operands are split into their even and odd bytes, widened to int16, and multiplied by pmaddwd, which sums pairs
/// into int32:
///
///     weights       w0 w1 w2 w3 | ...  ->  even (w0, w2) | ...   odd (w1, w3) | ...
///     activations   a0 a1 a2 a3 | ...  ->  even (a0, a2) | ...   odd (a1, a3) | ...
///     acc           += pmaddwd(even, even) + pmaddwd(odd, odd)
///
/// Splitting costs three instructions per register of weights and two per broadcast, shared by the rows and columns of
/// a tile; no byte changes its lane.

#include "halfstep/simd/dot_step.hpp"

#include <cstring>

#if defined(__SSE2__)
namespace halfstep::inline HALFSTEP_ABI::simd {

/// The instructions on registers of `Bytes` bytes.
template <std::size_t Bytes>
struct X86Vector;

template <>
struct X86Vector<16> {
  using Register = __m128i;
  static Register load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static void store(void* p, Register x) { _mm_storeu_si128(static_cast<__m128i*>(p), x); }
  static Register set32(std::int32_t x) { return _mm_set1_epi32(x); }
  static Register add32(Register a, Register b) { return _mm_add_epi32(a, b); }
  static Register madd16(Register a, Register b) { return _mm_madd_epi16(a, b); }
  static Register bit_and(Register a, Register b) { return _mm_and_si128(a, b); }
  static Register bit_xor(Register a, Register b) { return _mm_xor_si128(a, b); }
  static Register shift_left8(Register x) { return _mm_slli_epi16(x, 8); }
  static Register shift_right8(Register x) { return _mm_srli_epi16(x, 8); }
  static Register shift_right8_signed(Register x) { return _mm_srai_epi16(x, 8); }
  static std::int32_t sum32(Register x) {
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
  }
};

#if defined(__AVX2__)
template <>
struct X86Vector<32> {
  using Register = __m256i;
  static Register load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store(void* p, Register x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
  static Register set32(std::int32_t x) { return _mm256_set1_epi32(x); }
  static Register add32(Register a, Register b) { return _mm256_add_epi32(a, b); }
  static Register madd16(Register a, Register b) { return _mm256_madd_epi16(a, b); }
  static Register bit_and(Register a, Register b) { return _mm256_and_si256(a, b); }
  static Register bit_xor(Register a, Register b) { return _mm256_xor_si256(a, b); }
  static Register shift_left8(Register x) { return _mm256_slli_epi16(x, 8); }
  static Register shift_right8(Register x) { return _mm256_srli_epi16(x, 8); }
  static Register shift_right8_signed(Register x) { return _mm256_srai_epi16(x, 8); }
  static std::int32_t sum32(Register x) {
    return X86Vector<16>::sum32(_mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
  }
};
#endif

#if defined(__AVX512BW__)
template <>
struct X86Vector<64> {
  using Register = __m512i;
  static Register load(const void* p) { return _mm512_loadu_si512(p); }
  static void store(void* p, Register x) { _mm512_storeu_si512(p, x); }
  static Register set32(std::int32_t x) { return _mm512_set1_epi32(x); }
  static Register add32(Register a, Register b) { return _mm512_add_epi32(a, b); }
  static Register madd16(Register a, Register b) { return _mm512_madd_epi16(a, b); }
  static Register bit_and(Register a, Register b) { return _mm512_and_si512(a, b); }
  static Register bit_xor(Register a, Register b) { return _mm512_xor_si512(a, b); }
  static Register shift_left8(Register x) { return _mm512_slli_epi16(x, 8); }
  static Register shift_right8(Register x) { return _mm512_srli_epi16(x, 8); }
  static Register shift_right8_signed(Register x) { return _mm512_srai_epi16(x, 8); }
  static std::int32_t sum32(Register x) {
    return X86Vector<32>::sum32(_mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1)));
  }
};
#endif

/// Accumulators.
template <std::size_t RegisterBytes>
struct X86Accumulators {
  using V = X86Vector<RegisterBytes>;
  using Acc = typename V::Register;
  static constexpr std::size_t columns = RegisterBytes / 4;

  static Acc zero() { return V::set32(0); }
  static Acc load(const std::int32_t* p) { return V::load(p); }
  static void store(std::int32_t* p, Acc acc) { V::store(p, acc); }
  static Acc add(Acc a, Acc b) { return V::add32(a, b); }
  static std::int32_t sum(Acc acc) { return V::sum32(acc); }
  /// The four bytes from `p` on in each lane.
  static Acc repeat4(const void* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return V::set32(four);
  }
};

/// DotStep by widening to int16.
template <std::size_t RegisterBytes>
struct X86MaddDotStep : X86Accumulators<RegisterBytes> {
  using Base = X86Accumulators<RegisterBytes>;
  using typename Base::Acc;
  using typename Base::V;
  using Bytes = typename V::Register;
  static constexpr std::size_t bytes = RegisterBytes;
  static constexpr std::int32_t unsigned_offset = 0;
  static constexpr std::int32_t signed_offset = 0;
  struct Weights {
    typename V::Register even, odd;
  };
  using Activations = Weights;

  static Bytes load_bytes(const void* p) { return V::load(p); }
  static Weights weights(Bytes b) {
    return Weights{V::shift_right8_signed(V::shift_left8(b)), V::shift_right8_signed(b)};
  }
  static Activations signed_activations(Bytes b) { return weights(b); }
  static Activations unsigned_activations(Bytes b) {
    return Activations{V::bit_and(b, V::set32(0x00ff00ff)), V::shift_right8(b)};
  }
  static Activations broadcast(const std::uint8_t* p) { return unsigned_activations(Base::repeat4(p)); }
  static Activations ones() { return Activations{V::set32(0x00010001), V::set32(0x00010001)}; }
  static Acc step(Acc acc, Activations a, Weights w) {
    return V::add32(V::add32(acc, V::madd16(a.even, w.even)), V::madd16(a.odd, w.odd));
  }
};

template <>
struct DotStep<isa::Sse2> : X86MaddDotStep<16> {};
#if defined(__SSSE3__)
template <>
struct DotStep<isa::Ssse3> : X86MaddDotStep<16> {};
#endif
#if defined(__SSE4_1__)
template <>
struct DotStep<isa::Sse41> : X86MaddDotStep<16> {};
#endif
#if defined(__AVX2__)
template <>
struct DotStep<isa::Avx2> : X86MaddDotStep<32> {};
#endif
#if defined(__AVX512BW__)
template <>
struct DotStep<isa::Avx512Bw> : X86MaddDotStep<64> {};
#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
#endif
