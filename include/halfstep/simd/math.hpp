#pragma once

/// \file
/// Lane-wise arithmetic for a float and for a batch of floats, with the same bits in both, on every instruction set and
/// compiler. The first argument decides the type; literals convert to it. Call the functions qualified
/// (`simd::sqrt(x)`): argument-dependent lookup would also find xsimd's.
///
/// All of them are of class exact, with two exceptions: which NaN comes out where one goes in, and `-ffast-math`, under
/// which only the functions that look at bits (is_nan, is_finite, exponent, ...) keep their word.

#include "halfstep/simd/ops.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// The bits of each float as an int32.
template <FloatLanes T>
[[nodiscard]] constexpr IntOf<T> to_bits(T x) {
  return OpsOf<T>::to_bits(x);
}

/// The floats with these bits.
template <IntLanes T>
[[nodiscard]] constexpr FloatOf<T> from_bits(T k) {
  return OpsOf<T>::from_bits(k);
}

/// The mask of a float comparison as one for integers of as many lanes, and back. bool stays bool.
inline constexpr bool as_int_mask(bool m) { return m; }
inline constexpr bool as_float_mask(bool m) { return m; }
inline PortableMask as_int_mask(PortableMask m) { return m; }
inline PortableMask as_float_mask(PortableMask m) { return m; }
#if !defined(HALFSTEP_SIMD_GENERIC)
inline IntMask as_int_mask(FloatMask m) { return NativeOps::as_int_mask(m); }
inline FloatMask as_float_mask(IntMask m) { return NativeOps::as_float_mask(m); }
inline IntMask as_int_mask(IntMask m) { return m; }
inline FloatMask as_float_mask(FloatMask m) { return m; }
#endif

/// Number of lanes where `mask` is true.
[[nodiscard]] inline constexpr int count_true(bool mask) { return ScalarOps::count_true(mask); }
[[nodiscard]] inline int count_true(PortableMask mask) { return PortableOps::count_true(mask); }
#if !defined(HALFSTEP_SIMD_GENERIC)
[[nodiscard]] inline int count_true(FloatMask mask) { return NativeOps::count_true(mask); }
[[nodiscard]] inline int count_true(IntMask mask) { return NativeOps::count_true(as_float_mask(mask)); }
#endif

/// Whether `mask` is true in any lane.
template <class Mask>
[[nodiscard]] constexpr bool any(Mask mask) {
  return simd::count_true(mask) != 0;
}

/// Whether `mask` is true in every lane.
template <class Mask>
[[nodiscard]] constexpr bool all(Mask mask) {
  return !simd::any(!mask);
}

/// `mask ? a : b` in each lane. `mask` may come from a float or an integer comparison of as many lanes, or be one bool.
/// A mask is negated by `!`, which, unlike `~`, means the same for a bool.
template <class Mask, AnyLanes T>
[[nodiscard]] constexpr T select(Mask mask, T a, Like<T> b) {
  if constexpr (std::integral<Mask>) {  // `p & q` of two bools is an int
    return mask ? a : T(b);
  } else if constexpr (FloatLanes<T>) {
    return OpsOf<T>::select(as_float_mask(mask), a, b);
  } else {
    return OpsOf<T>::select(as_int_mask(mask), a, b);
  }
}

/// `a < b ? a : b` in each lane: b where either is NaN, and of two zeros b.
template <AnyLanes T>
[[nodiscard]] constexpr T min(T a, Like<T> b) {
  return OpsOf<T>::min(a, b);
}

/// `a > b ? a : b` in each lane: b where either is NaN, and of two zeros b.
template <AnyLanes T>
[[nodiscard]] constexpr T max(T a, Like<T> b) {
  return OpsOf<T>::max(a, b);
}

/// `min(max(x, lo), hi)`, for lo <= hi. NaN becomes lo.
template <AnyLanes T>
[[nodiscard]] constexpr T clamp(T x, Like<T> lo, Like<T> hi) {
  return simd::min(simd::max(x, lo), hi);
}

/// |x|; of an integer, wrapping around: the least int32 stays as it is.
template <AnyLanes T>
[[nodiscard]] constexpr T abs(T x) {
  return OpsOf<T>::abs(x);
}

/// The correctly rounded square root; NaN below zero.
template <FloatLanes T>
[[nodiscard]] T sqrt(T x) {
  return OpsOf<T>::sqrt(x);
}

/// True where x is NaN. Looks at the bits.
template <FloatLanes T>
[[nodiscard]] constexpr MaskOf<T> is_nan(T x) {
  return OpsOf<T>::is_nan(x);
}

/// True where x is neither NaN nor infinite. Looks at the bits.
template <FloatLanes T>
[[nodiscard]] constexpr MaskOf<T> is_finite(T x) {
  return as_float_mask((simd::to_bits(x) & 0x7fffffff) < IntOf<T>(0x7f800000));
}

/// `x` rounded to an integral value, ties to even, sign kept (-0.3 gives -0). |x| >= 2^23, infinity and NaN stay.
/// Does not depend on a library call or change the floating-point environment, which must round to nearest.
template <FloatLanes T>
[[nodiscard]] T round_even(T x) {
  return OpsOf<T>::round_even(x);
}

/// The greatest integral value <= x.
template <FloatLanes T>
[[nodiscard]] T floor(T x) {
  return OpsOf<T>::floor(x);
}

/// The nearest floats, ties to even; exact for |k| <= 2^24.
template <IntLanes T>
[[nodiscard]] constexpr FloatOf<T> to_float(T k) {
  return OpsOf<T>::to_float(k);
}

/// `x` truncated toward zero to int32. x must be a number with -2^31 <= x < 2^31.
template <FloatLanes T>
[[nodiscard]] constexpr IntOf<T> to_int(T x) {
  return OpsOf<T>::to_int(x);
}

/// `x` rounded to int32, ties to even. x must be a number with -2^31 <= x < 2^31.
template <FloatLanes T>
[[nodiscard]] IntOf<T> round_to_int(T x) {
  return OpsOf<T>::round_to_int(x);
}

/// The code of a real number: `rne(clamp(x, lo, hi))` as int32, for integral lo <= hi with |lo|, |hi| <= 2^24.
/// Clamps before it converts, so that huge and infinite x saturate; NaN counts as 0 (then clamped like any number).
template <FloatLanes T>
[[nodiscard]] IntOf<T> round_clamp(T x, Like<T> lo, Like<T> hi) {
  return simd::round_to_int(simd::clamp(simd::select(simd::is_nan(x), T(0.0f), x), lo, hi));
}

/// `k >> n` with zeros shifted in, for 0 <= n < 32. (`>>` shifts in the sign.)
template <IntLanes T>
[[nodiscard]] constexpr T shift_right_logical(T k, int n) {
  return OpsOf<T>::shift_right_logical(k, n);
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
