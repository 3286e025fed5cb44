#pragma once

/// \file
/// The parts of a float by its bits: exponent, mantissa and powers of two, exact for every finite float whatever the
/// processor does with subnormal operands. All of class exact.

#include "halfstep/simd/math.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// The float whose exponent field is that of x with the point moved: for normal x, |x|; for a subnormal or zero, its
/// mantissa as an integer, which is |x| * 2^149 and normal.
template <FloatLanes T>
[[nodiscard]] constexpr IntOf<T> normalized_bits(T x) {
  const IntOf<T> magnitude = simd::to_bits(x) & 0x7fffffff;
  return simd::select(magnitude < IntOf<T>(0x00800000), simd::to_bits(simd::to_float(magnitude)), magnitude);
}

/// floor(log2 |x|): in [-149, 127] for finite x, -150 for zero, 128 for infinity and NaN.
template <FloatLanes T>
[[nodiscard]] constexpr IntOf<T> exponent(T x) {
  const IntOf<T> magnitude = simd::to_bits(x) & 0x7fffffff;
  const IntOf<T> bias = simd::select(magnitude < IntOf<T>(0x00800000), IntOf<T>(127 + 149), 127);
  return simd::max(simd::shift_right_logical(simd::normalized_bits(x), 23) - bias, -150);
}

/// |x| / 2^exponent(x): in [1, 2) for finite x, 1 for zero and infinity.
template <FloatLanes T>
[[nodiscard]] constexpr T mantissa(T x) {
  return simd::from_bits((simd::normalized_bits(x) & 0x007fffff) | 0x3f800000);
}

/// 2^k for k in [-126, 127]: two integer instructions.
template <IntLanes T>
[[nodiscard]] constexpr FloatOf<T> power_of_two(T k) {
  return simd::from_bits((k + 127) << 23);
}

/// 2^k for every int32 k: subnormal for k in [-149, -127], 0 below, infinity above 127.
template <IntLanes T>
[[nodiscard]] constexpr FloatOf<T> exp2_int(T k) {
  const T held = simd::clamp(k, -150, 128);
  const T half = held >> 1;
  return simd::power_of_two(half) * simd::power_of_two(held - half);
}

/// x * 2^k, rounded once, for k in [-126, 127]; exact unless the result is subnormal or overflows.
template <FloatLanes T>
[[nodiscard]] constexpr T scale_by_power(T x, Like<IntOf<T>> k) {
  return x * simd::power_of_two(k);
}

/// x with the sign of `sign`.
template <FloatLanes T>
[[nodiscard]] constexpr T copy_sign(T x, Like<T> sign) {
  return simd::from_bits((simd::to_bits(x) & 0x7fffffff) |
                         (simd::to_bits(sign) & static_cast<std::int32_t>(0x80000000)));
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
