#pragma once

/// \file
/// The lane-wise operations of one float or int32, which define what every batch does in each lane, and of the portable
/// batch, which applies them. The public functions are in simd/math.hpp and its neighbours.

#include <bit>
#include <cstdint>

#include "halfstep/simd/pinned.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

struct ScalarOps {
  static constexpr std::int32_t to_bits(float x) { return std::bit_cast<std::int32_t>(x); }
  static constexpr float from_bits(std::int32_t k) { return std::bit_cast<float>(k); }
  static constexpr bool as_int_mask(bool m) { return m; }
  static constexpr bool as_float_mask(bool m) { return m; }
  static constexpr int count_true(bool m) { return m ? 1 : 0; }

  template <class T>
  static constexpr T select(bool m, T a, T b) {
    return m ? a : b;
  }
  template <class T>
  static constexpr T min(T a, T b) {
    return a < b ? a : b;
  }
  template <class T>
  static constexpr T max(T a, T b) {
    return a > b ? a : b;
  }

  static constexpr float abs(float x) { return from_bits(to_bits(x) & 0x7fffffff); }
  static constexpr std::int32_t abs(std::int32_t x) { return x < 0 ? negated(x) : x; }
  static constexpr bool is_nan(float x) { return (to_bits(x) & 0x7fffffff) > 0x7f800000; }
  static constexpr std::int32_t shift_right_logical(std::int32_t k, int n) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(k) >> n);
  }

  static constexpr float to_float(std::int32_t k) { return static_cast<float>(k); }
  static constexpr std::int32_t to_int(float x) { return static_cast<std::int32_t>(x); }

#if defined(__SSE4_1__)
  static float round_even(float x) {
    return _mm_cvtss_f32(_mm_round_ss(_mm_setzero_ps(), _mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static float floor(float x) {
    return _mm_cvtss_f32(_mm_round_ss(_mm_setzero_ps(), _mm_set_ss(x), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
  }
#elif defined(HALFSTEP_SIMD_NEON)
  static float round_even(float x) { return vrndns_f32(x); }
  static float floor(float x) { return vget_lane_f32(vrndm_f32(vdup_n_f32(x)), 0); }
#else
  static float round_even(float x) {
    const std::int32_t magnitude = to_bits(x) & 0x7fffffff;
    if (magnitude >= 0x4b000000) return x;  // 2^23 and above, inf, NaN: no fraction bits to round
    const std::int32_t sign = to_bits(x) ^ magnitude;
    const float rounded = pinned(from_bits(magnitude) + 8388608.0f) - 8388608.0f;
    return from_bits(to_bits(rounded) | sign);
  }
  static float floor(float x) {
    const float r = round_even(x);
    const float down = r > x ? r - 1.0f : r;
    return from_bits(to_bits(down) | (to_bits(x) & static_cast<std::int32_t>(0x80000000)));
  }
#endif

#if defined(__SSE2__)
  static std::int32_t round_to_int(float x) { return _mm_cvtss_si32(_mm_set_ss(x)); }
  static float sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
#elif defined(HALFSTEP_SIMD_NEON)
  static std::int32_t round_to_int(float x) { return vcvtns_s32_f32(x); }
  static float sqrt(float x) { return __builtin_sqrtf(x); }
#else
  static std::int32_t round_to_int(float x) { return static_cast<std::int32_t>(round_even(x)); }
  static float sqrt(float x) { return __builtin_sqrtf(x); }
#endif

 private:
  static constexpr std::int32_t negated(std::int32_t x) {
    return static_cast<std::int32_t>(0u - static_cast<std::uint32_t>(x));
  }
};

struct PortableOps {
  using F = PortableFloat;
  using K = PortableInt;
  using M = PortableMask;

  static K to_bits(F x) { return map_lanes<K>(ScalarOps::to_bits, x); }
  static F from_bits(K k) { return map_lanes<F>(ScalarOps::from_bits, k); }
  static M as_int_mask(M m) { return m; }
  static M as_float_mask(M m) { return m; }
  static int count_true(M m) {
    int n = 0;
    for (bool lane : m.lane) n += lane ? 1 : 0;
    return n;
  }

  template <class T>
  static Portable<T> select(M m, Portable<T> a, Portable<T> b) {
    return map_lanes<Portable<T>>(ScalarOps::select<T>, m, a, b);
  }
  template <class T>
  static Portable<T> min(Portable<T> a, Portable<T> b) {
    return map_lanes<Portable<T>>(ScalarOps::min<T>, a, b);
  }
  template <class T>
  static Portable<T> max(Portable<T> a, Portable<T> b) {
    return map_lanes<Portable<T>>(ScalarOps::max<T>, a, b);
  }
  template <class T>
  static Portable<T> abs(Portable<T> x) {
    return map_lanes<Portable<T>>([](T v) { return ScalarOps::abs(v); }, x);
  }
  static M is_nan(F x) { return map_lanes<M>(ScalarOps::is_nan, x); }
  static K shift_right_logical(K k, int n) {
    return map_lanes<K>([n](std::int32_t v) { return ScalarOps::shift_right_logical(v, n); }, k);
  }
  static F to_float(K k) { return map_lanes<F>(ScalarOps::to_float, k); }
  static K to_int(F x) { return map_lanes<K>(ScalarOps::to_int, x); }
  static K round_to_int(F x) { return map_lanes<K>(ScalarOps::round_to_int, x); }
  static F round_even(F x) { return map_lanes<F>(ScalarOps::round_even, x); }
  static F floor(F x) { return map_lanes<F>(ScalarOps::floor, x); }
  static F sqrt(F x) { return map_lanes<F>(ScalarOps::sqrt, x); }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
