#pragma once

/// \file
/// Lane-wise operations of the native batches with SSE2, SSSE3 or SSE4.1.

#include <bit>

#include "halfstep/simd/pinned.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

struct NativeOps {
  using F = FloatBatch;
  using K = IntBatch;

  static K to_bits(F x) { return K::of(_mm_castps_si128(x.data)); }
  static F from_bits(K k) { return F::of(_mm_castsi128_ps(k.data)); }
  static IntMask as_int_mask(FloatMask m) { return IntMask::of(_mm_castps_si128(m.data)); }
  static FloatMask as_float_mask(IntMask m) { return FloatMask::of(_mm_castsi128_ps(m.data)); }
  static int count_true(FloatMask m) { return std::popcount(static_cast<unsigned>(_mm_movemask_ps(m.data))); }

  static F select(FloatMask m, F a, F b) { return from_bits(select(as_int_mask(m), to_bits(a), to_bits(b))); }
  static F min(F a, F b) { return F::of(_mm_min_ps(a.data, b.data)); }
  static F max(F a, F b) { return F::of(_mm_max_ps(a.data, b.data)); }
  static F abs(F x) { return from_bits(K::of(_mm_and_si128(to_bits(x).data, _mm_set1_epi32(0x7fffffff)))); }
  static FloatMask is_nan(F x) {
    return as_float_mask(IntMask::of(_mm_cmpgt_epi32(to_bits(abs(x)).data, _mm_set1_epi32(0x7f800000))));
  }
  static K shift_right_logical(K k, int n) { return K::of(_mm_srl_epi32(k.data, _mm_cvtsi32_si128(n))); }

  static F to_float(K k) { return F::of(_mm_cvtepi32_ps(k.data)); }
  static K to_int(F x) { return K::of(_mm_cvttps_epi32(x.data)); }
  static K round_to_int(F x) { return K::of(_mm_cvtps_epi32(x.data)); }
  static F sqrt(F x) { return F::of(_mm_sqrt_ps(x.data)); }

#if defined(__SSE4_1__)
  // By the sign of 32 bits: g++ 12 takes that of a byte from plain char, which -funsigned-char leaves without one.
  static K select(IntMask m, K a, K b) {
    return to_bits(F::of(_mm_blendv_ps(from_bits(b).data, from_bits(a).data, as_float_mask(m).data)));
  }
  static K min(K a, K b) { return K::of(_mm_min_epi32(a.data, b.data)); }
  static K max(K a, K b) { return K::of(_mm_max_epi32(a.data, b.data)); }
  static F round_even(F x) { return F::of(_mm_round_ps(x.data, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
  static F floor(F x) { return F::of(_mm_round_ps(x.data, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)); }
#else
  static K select(IntMask m, K a, K b) {
    return K::of(_mm_or_si128(_mm_and_si128(m.data, a.data), _mm_andnot_si128(m.data, b.data)));
  }
  static K min(K a, K b) { return select(IntMask::of(_mm_cmplt_epi32(a.data, b.data)), a, b); }
  static K max(K a, K b) { return select(IntMask::of(_mm_cmpgt_epi32(a.data, b.data)), a, b); }
  static F round_even(F x) {
    const F magnitude = abs(x);
    const K sign = K::of(_mm_xor_si128(to_bits(x).data, to_bits(magnitude).data));
    const F two23 = F::of(_mm_set1_ps(8388608.0f));
    const F rounded = F::of(_mm_sub_ps(pinned(F::of(_mm_add_ps(magnitude.data, two23.data))).data, two23.data));
    const F result = from_bits(K::of(_mm_or_si128(to_bits(rounded).data, sign.data)));
    const IntMask below =
        IntMask::of(_mm_cmplt_epi32(to_bits(magnitude).data, _mm_set1_epi32(0x4b000000)));  // below 2^23
    return select(as_float_mask(below), result, x);
  }
  static F floor(F x) {
    const F r = round_even(x);
    const F down = F::of(_mm_sub_ps(r.data, _mm_and_ps(_mm_cmpgt_ps(r.data, x.data), _mm_set1_ps(1.0f))));
    return F::of(_mm_or_ps(down.data, _mm_and_ps(x.data, _mm_set1_ps(-0.0f))));
  }
#endif

#if defined(__SSSE3__)
  static K abs(K k) { return K::of(_mm_abs_epi32(k.data)); }
#else
  static K abs(K k) {
    const __m128i sign = _mm_srai_epi32(k.data, 31);
    return K::of(_mm_sub_epi32(_mm_xor_si128(k.data, sign), sign));
  }
#endif
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
