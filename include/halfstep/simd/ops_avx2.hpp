#pragma once

/// \file
/// Lane-wise operations of the native batches with AVX2.

#include <bit>

#include "halfstep/simd/batch.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

struct NativeOps {
  using F = FloatBatch;
  using K = IntBatch;

  static K to_bits(F x) { return K::of(_mm256_castps_si256(x.data)); }
  static F from_bits(K k) { return F::of(_mm256_castsi256_ps(k.data)); }
  static IntMask as_int_mask(FloatMask m) { return IntMask::of(_mm256_castps_si256(m.data)); }
  static FloatMask as_float_mask(IntMask m) { return FloatMask::of(_mm256_castsi256_ps(m.data)); }
  static int count_true(FloatMask m) { return std::popcount(static_cast<unsigned>(_mm256_movemask_ps(m.data))); }

  static F select(FloatMask m, F a, F b) { return F::of(_mm256_blendv_ps(b.data, a.data, m.data)); }
  // By the sign of 32 bits: g++ 12 takes that of a byte from plain char, which -funsigned-char leaves without one.
  static K select(IntMask m, K a, K b) { return to_bits(select(as_float_mask(m), from_bits(a), from_bits(b))); }
  static F min(F a, F b) { return F::of(_mm256_min_ps(a.data, b.data)); }
  static F max(F a, F b) { return F::of(_mm256_max_ps(a.data, b.data)); }
  static K min(K a, K b) { return K::of(_mm256_min_epi32(a.data, b.data)); }
  static K max(K a, K b) { return K::of(_mm256_max_epi32(a.data, b.data)); }
  static F abs(F x) { return from_bits(K::of(_mm256_and_si256(to_bits(x).data, _mm256_set1_epi32(0x7fffffff)))); }
  static K abs(K k) { return K::of(_mm256_abs_epi32(k.data)); }
  static FloatMask is_nan(F x) {
    return as_float_mask(IntMask::of(_mm256_cmpgt_epi32(to_bits(abs(x)).data, _mm256_set1_epi32(0x7f800000))));
  }
  static K shift_right_logical(K k, int n) { return K::of(_mm256_srl_epi32(k.data, _mm_cvtsi32_si128(n))); }

  static F to_float(K k) { return F::of(_mm256_cvtepi32_ps(k.data)); }
  static K to_int(F x) { return K::of(_mm256_cvttps_epi32(x.data)); }
  static K round_to_int(F x) { return K::of(_mm256_cvtps_epi32(x.data)); }
  static F round_even(F x) { return F::of(_mm256_round_ps(x.data, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
  static F floor(F x) { return F::of(_mm256_round_ps(x.data, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)); }
  static F sqrt(F x) { return F::of(_mm256_sqrt_ps(x.data)); }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
