#pragma once

/// \file
/// Lane-wise operations of the native batches with AVX-512 (F, CD, BW, DQ, VL).

#include <bit>

#include "halfstep/simd/batch.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

struct NativeOps {
  using F = FloatBatch;
  using K = IntBatch;

  static K to_bits(F x) { return K::of(_mm512_castps_si512(x.data)); }
  static F from_bits(K k) { return F::of(_mm512_castsi512_ps(k.data)); }
  static IntMask as_int_mask(FloatMask m) { return IntMask::of(m.data); }
  static FloatMask as_float_mask(IntMask m) { return FloatMask::of(m.data); }
  static int count_true(FloatMask m) { return std::popcount(static_cast<unsigned>(m.data)); }

  static F select(FloatMask m, F a, F b) { return F::of(_mm512_mask_blend_ps(m.data, b.data, a.data)); }
  static K select(IntMask m, K a, K b) { return K::of(_mm512_mask_blend_epi32(m.data, b.data, a.data)); }
  static F min(F a, F b) { return F::of(_mm512_min_ps(a.data, b.data)); }
  static F max(F a, F b) { return F::of(_mm512_max_ps(a.data, b.data)); }
  static K min(K a, K b) { return K::of(_mm512_min_epi32(a.data, b.data)); }
  static K max(K a, K b) { return K::of(_mm512_max_epi32(a.data, b.data)); }
  static F abs(F x) { return from_bits(K::of(_mm512_and_si512(to_bits(x).data, _mm512_set1_epi32(0x7fffffff)))); }
  static K abs(K k) { return K::of(_mm512_abs_epi32(k.data)); }
  static FloatMask is_nan(F x) { return FloatMask::of(_mm512_fpclass_ps_mask(x.data, 0x81)); }  // quiet or signalling
  static K shift_right_logical(K k, int n) { return K::of(_mm512_srl_epi32(k.data, _mm_cvtsi32_si128(n))); }

  static F to_float(K k) { return F::of(_mm512_cvtepi32_ps(k.data)); }
  static K to_int(F x) { return K::of(_mm512_cvttps_epi32(x.data)); }
  static K round_to_int(F x) { return K::of(_mm512_cvtps_epi32(x.data)); }
  static F round_even(F x) { return F(xsimd::nearbyint(x.base())); }
  static F floor(F x) { return F(xsimd::floor(x.base())); }
  static F sqrt(F x) { return F::of(_mm512_sqrt_ps(x.data)); }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
