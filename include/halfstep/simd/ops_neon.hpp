#pragma once

/// \file
/// Lane-wise operations of the native batches with 64-bit NEON.

#include "halfstep/simd/batch.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

struct NativeOps {
  using F = FloatBatch;
  using K = IntBatch;

  static K to_bits(F x) { return K::of(vreinterpretq_s32_f32(x.data)); }
  static F from_bits(K k) { return F::of(vreinterpretq_f32_s32(k.data)); }
  static IntMask as_int_mask(FloatMask m) { return IntMask::of(m.data); }
  static FloatMask as_float_mask(IntMask m) { return FloatMask::of(m.data); }
  static int count_true(FloatMask m) { return static_cast<int>(vaddvq_u32(vshrq_n_u32(m.data, 31))); }

  static F select(FloatMask m, F a, F b) { return F::of(vbslq_f32(m.data, a.data, b.data)); }
  static K select(IntMask m, K a, K b) { return K::of(vbslq_s32(m.data, a.data, b.data)); }
  // Not vminq and vmaxq: these return NaN where either operand is.
  static F min(F a, F b) { return F::of(vbslq_f32(vcltq_f32(a.data, b.data), a.data, b.data)); }
  static F max(F a, F b) { return F::of(vbslq_f32(vcgtq_f32(a.data, b.data), a.data, b.data)); }
  static K min(K a, K b) { return K::of(vminq_s32(a.data, b.data)); }
  static K max(K a, K b) { return K::of(vmaxq_s32(a.data, b.data)); }
  static F abs(F x) { return F::of(vabsq_f32(x.data)); }
  static K abs(K k) { return K::of(vabsq_s32(k.data)); }
  static FloatMask is_nan(F x) { return FloatMask::of(vcgtq_s32(to_bits(abs(x)).data, vdupq_n_s32(0x7f800000))); }
  static K shift_right_logical(K k, int n) {
    return K::of(vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(k.data), vdupq_n_s32(-n))));
  }

  static F to_float(K k) { return F::of(vcvtq_f32_s32(k.data)); }
  static K to_int(F x) { return K::of(vcvtq_s32_f32(x.data)); }
  static K round_to_int(F x) { return K::of(vcvtnq_s32_f32(x.data)); }
  static F round_even(F x) { return F::of(vrndnq_f32(x.data)); }
  static F floor(F x) { return F::of(vrndmq_f32(x.data)); }
  static F sqrt(F x) { return F::of(vsqrtq_f32(x.data)); }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
