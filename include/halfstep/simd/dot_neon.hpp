#pragma once

/// \file
/// The steps of byte products on 64-bit NEON, without and with the dot-product extension.
///
/// Without it: a product of an unsigned and a signed byte fits an int16 (255 * -128 = -32640), a sum of two does not.
/// So even and odd bytes are widened to int16 apart, multiplied there, and added in pairs into the int32 of their
/// column. With it: sdot sums four products of signed bytes, so unsigned activations go in with their top bit flipped,
/// which subtracts 128 from each.

#include "halfstep/simd/dot_step.hpp"

#include <cstring>

#if defined(__aarch64__)
namespace halfstep::inline HALFSTEP_ABI::simd {

/// The accumulators of all steps.
struct NeonAccumulators {
  using Acc = int32x4_t;
  static constexpr std::size_t columns = 4;

  static Acc zero() { return vdupq_n_s32(0); }
  static Acc load(const std::int32_t* p) { return vld1q_s32(p); }
  static void store(std::int32_t* p, Acc acc) { vst1q_s32(p, acc); }
  static Acc add(Acc a, Acc b) { return vaddq_s32(a, b); }
  static std::int32_t sum(Acc acc) { return vaddvq_s32(acc); }
  /// The four bytes from `p` on in each lane.
  static uint8x16_t repeat4(const void* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof four);
    return vreinterpretq_u8_u32(vdupq_n_u32(four));
  }
};

template <>
struct DotStep<isa::Neon> : NeonAccumulators {
  using Bytes = uint8x16_t;
  static constexpr std::size_t bytes = 16;
  static constexpr std::int32_t unsigned_offset = 0;
  static constexpr std::int32_t signed_offset = 0;
  struct Weights {
    int16x8_t even, odd;
  };
  using Activations = Weights;

  static Bytes load_bytes(const void* p) { return vld1q_u8(static_cast<const std::uint8_t*>(p)); }
  static Weights weights(Bytes b) {
    const int16x8_t pairs = vreinterpretq_s16_u8(b);
    return Weights{vshrq_n_s16(vshlq_n_s16(pairs, 8), 8), vshrq_n_s16(pairs, 8)};
  }
  static Activations signed_activations(Bytes b) { return weights(b); }
  static Activations unsigned_activations(Bytes b) {
    const uint16x8_t pairs = vreinterpretq_u16_u8(b);
    return Activations{vreinterpretq_s16_u16(vandq_u16(pairs, vdupq_n_u16(0xff))),
                       vreinterpretq_s16_u16(vshrq_n_u16(pairs, 8))};
  }
  static Activations broadcast(const std::uint8_t* p) { return unsigned_activations(repeat4(p)); }
  static Activations ones() { return Activations{vdupq_n_s16(1), vdupq_n_s16(1)}; }
  static Acc step(Acc acc, Activations a, Weights w) {
    acc = vpadalq_s16(acc, vmulq_s16(a.even, w.even));
    return vpadalq_s16(acc, vmulq_s16(a.odd, w.odd));
  }
};

#if defined(__ARM_FEATURE_DOTPROD)
template <>
struct DotStep<isa::NeonDot> : NeonAccumulators {
  using Bytes = uint8x16_t;
  using Weights = int8x16_t;
  using Activations = int8x16_t;
  static constexpr std::size_t bytes = 16;
  static constexpr std::int32_t unsigned_offset = 128;
  static constexpr std::int32_t signed_offset = 0;

  static Bytes load_bytes(const void* p) { return vld1q_u8(static_cast<const std::uint8_t*>(p)); }
  static Weights weights(Bytes b) { return vreinterpretq_s8_u8(b); }
  static Activations signed_activations(Bytes b) { return vreinterpretq_s8_u8(b); }
  static Activations unsigned_activations(Bytes b) { return vreinterpretq_s8_u8(veorq_u8(b, vdupq_n_u8(0x80))); }
  static Activations broadcast(const std::uint8_t* p) { return unsigned_activations(repeat4(p)); }
  static Activations ones() { return vdupq_n_s8(1); }
  static Acc step(Acc acc, Activations a, Weights w) { return vdotq_s32(acc, a, w); }
};

#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
#endif
