#pragma once

/// \file
/// The steps of byte products by vpdpbusd: AVX-512 VNNI on 64 bytes, AVX-VNNI (or AVX-512 VNNI
/// with VL) on 32. vpdpbusd multiplies unsigned by signed bytes and sums four products into an int32 without a
/// saturating intermediate, so signed activations go in with their sign bit flipped, which adds 128 to each.

#include "halfstep/simd/dot_x86.hpp"

#if (defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)) || defined(__AVXVNNI__)
namespace halfstep::inline HALFSTEP_ABI::simd {

/// The instruction on registers of `Bytes` bytes.
template <std::size_t Bytes>
struct VnniVector;

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
template <>
struct VnniVector<64> : X86Vector<64> {
  static Register dot8(Register acc, Register u, Register s) { return _mm512_dpbusd_epi32(acc, u, s); }
};
#endif

template <>
struct VnniVector<32> : X86Vector<32> {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  static Register dot8(Register acc, Register u, Register s) { return _mm256_dpbusd_epi32(acc, u, s); }
#else
  static Register dot8(Register acc, Register u, Register s) { return _mm256_dpbusd_avx_epi32(acc, u, s); }
#endif
};

/// DotStep by one instruction.
template <std::size_t RegisterBytes>
struct VnniDotStep : X86Accumulators<RegisterBytes> {
  using Base = X86Accumulators<RegisterBytes>;
  using typename Base::Acc;
  using V = VnniVector<RegisterBytes>;
  using Bytes = Acc;
  using Weights = Acc;
  using Activations = Acc;
  static constexpr std::size_t bytes = RegisterBytes;
  static constexpr std::int32_t unsigned_offset = 0;
  static constexpr std::int32_t signed_offset = -128;

  static Bytes load_bytes(const void* p) { return V::load(p); }
  static Weights weights(Bytes b) { return b; }
  static Activations unsigned_activations(Bytes b) { return b; }
  static Activations signed_activations(Bytes b) {
    return V::bit_xor(b, V::set32(static_cast<std::int32_t>(0x80808080u)));
  }
  static Activations broadcast(const std::uint8_t* p) { return Base::repeat4(p); }
  static Activations ones() { return V::set32(0x01010101); }
  static Acc step(Acc acc, Activations a, Weights w) { return V::dot8(acc, a, w); }
};

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
template <>
struct DotStep<isa::Avx512Vnni> : VnniDotStep<64> {};
#endif
template <>
struct DotStep<isa::AvxVnni> : VnniDotStep<32> {};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
#endif
