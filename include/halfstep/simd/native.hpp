#pragma once

/// \file
/// `Native<T>`, a vector register of the compiled instruction set, and `NativeMask<T>`, what comparing two gives.
///
/// They are thin classes over xsimd's batch, and exist because its operators do not all do what the same operator does
/// to a scalar. In 14.3, a quotient on NEON is a product with a refined reciprocal, not correctly rounded, and -x on
/// AVX-512 is 0 - x, which loses the sign of zero; in 8.1, besides, NaN != NaN is false on AVX, `^` of two AVX-512
/// masks is their `|`, and a shift by a batch goes lane by lane. Here every operator gives the bits of the scalar one.

#include "halfstep/simd/xsimd.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>

#if !defined(HALFSTEP_SIMD_GENERIC)
namespace halfstep::inline HALFSTEP_ABI::simd {

/// One truth value per lane of a `Native<T>`, combined by `&`, `|`, `^` and `!`.
template <class T>
struct NativeMask {
  using Base = xsimd::batch_bool<T, NativeArch>;
  using register_type = typename Base::register_type;
  static constexpr std::size_t size = Base::size;
  register_type data;

  NativeMask() = default;
  explicit NativeMask(Base base) : data(base.data) {}
  [[nodiscard]] static NativeMask of(register_type r) { return NativeMask(Base(r)); }

  [[nodiscard]] Base base() const { return Base(data); }
  /// The truth value of lane `i`. Slow: for tests and odd ends.
  [[nodiscard]] bool get(std::size_t i) const { return base().get(i); }

#if defined(HALFSTEP_SIMD_AVX512)
  // Masks are integers here; `^` of xsimd 8 is an `|`.
  NativeMask(bool value) : data(static_cast<register_type>(value ? 0xffff : 0)) {}
  friend NativeMask operator&(NativeMask a, NativeMask b) { return of(static_cast<register_type>(a.data & b.data)); }
  friend NativeMask operator|(NativeMask a, NativeMask b) { return of(static_cast<register_type>(a.data | b.data)); }
  friend NativeMask operator^(NativeMask a, NativeMask b) { return of(static_cast<register_type>(a.data ^ b.data)); }
  NativeMask operator!() const { return of(static_cast<register_type>(~data)); }
#else
  NativeMask(bool value) : data(Base(value).data) {}
  friend NativeMask operator&(NativeMask a, NativeMask b) { return NativeMask(a.base() & b.base()); }
  friend NativeMask operator|(NativeMask a, NativeMask b) { return NativeMask(a.base() | b.base()); }
  friend NativeMask operator^(NativeMask a, NativeMask b) { return NativeMask(a.base() ^ b.base()); }
  NativeMask operator!() const { return NativeMask(~base()); }
#endif
};

/// A register of `T` (float or std::int32_t) with the operators of a scalar, applied to each lane. Integer arithmetic
/// wraps around, `>>` shifts in the sign. A scalar operand counts as a batch of itself.
template <class T>
struct Native {
  using Base = xsimd::batch<T, NativeArch>;
  using Mask = NativeMask<T>;
  using value_type = T;
  using register_type = typename Base::register_type;
  static constexpr std::size_t size = Base::size;
  static constexpr bool is_float = std::same_as<T, float>;
  register_type data;

  Native() = default;
#if defined(HALFSTEP_SIMD_NEON)
  Native(T value) requires is_float : data(vdupq_n_f32(value)) {}
  Native(T value) requires(!is_float) : data(vdupq_n_s32(value)) {}
#else
  Native(T value) : data(Base(value).data) {}
#endif
  explicit Native(Base base) : data(base.data) {}
  [[nodiscard]] static Native of(register_type r) { return Native(Base(r)); }

  [[nodiscard]] Base base() const { return Base(data); }
  /// The value of lane `i`. Slow: for tests and odd ends.
  [[nodiscard]] T get(std::size_t i) const { return base().get(i); }

  friend Native operator+(Native a, Native b) { return Native(a.base() + b.base()); }
  friend Native operator-(Native a, Native b) { return Native(a.base() - b.base()); }
  friend Native operator*(Native a, Native b) { return Native(a.base() * b.base()); }
  friend Native operator/(Native a, Native b) requires is_float {
#if defined(HALFSTEP_SIMD_NEON)
    return of(vdivq_f32(a.data, b.data));
#else
    return Native(a.base() / b.base());
#endif
  }
#if defined(HALFSTEP_SIMD_AVX512)
  Native operator-() const requires is_float { return of(_mm512_xor_ps(data, _mm512_set1_ps(-0.0f))); }
  Native operator-() const requires(!is_float) { return 0 - *this; }
#else
  Native operator-() const { return Native(-base()); }
#endif

  friend Native operator&(Native a, Native b) requires(!is_float) { return Native(a.base() & b.base()); }
  friend Native operator|(Native a, Native b) requires(!is_float) { return Native(a.base() | b.base()); }
  friend Native operator^(Native a, Native b) requires(!is_float) { return Native(a.base() ^ b.base()); }
#if defined(HALFSTEP_SIMD_AVX512)
  friend Native operator<<(Native a, Native b) requires(!is_float) { return of(_mm512_sllv_epi32(a.data, b.data)); }
  friend Native operator>>(Native a, Native b) requires(!is_float) { return of(_mm512_srav_epi32(a.data, b.data)); }
#elif defined(HALFSTEP_SIMD_AVX2)
  friend Native operator<<(Native a, Native b) requires(!is_float) { return of(_mm256_sllv_epi32(a.data, b.data)); }
  friend Native operator>>(Native a, Native b) requires(!is_float) { return of(_mm256_srav_epi32(a.data, b.data)); }
#else
  friend Native operator<<(Native a, Native b) requires(!is_float) { return Native(a.base() << b.base()); }
  friend Native operator>>(Native a, Native b) requires(!is_float) { return Native(a.base() >> b.base()); }
#endif
  friend Native operator<<(Native a, std::int32_t n) requires(!is_float) { return Native(a.base() << n); }
  friend Native operator>>(Native a, std::int32_t n) requires(!is_float) { return Native(a.base() >> n); }
  Native operator~() const requires(!is_float) { return Native(~base()); }

  friend Mask operator<(Native a, Native b) { return Mask(a.base() < b.base()); }
  friend Mask operator<=(Native a, Native b) { return Mask(a.base() <= b.base()); }
  friend Mask operator>(Native a, Native b) { return Mask(a.base() > b.base()); }
  friend Mask operator>=(Native a, Native b) { return Mask(a.base() >= b.base()); }
  friend Mask operator==(Native a, Native b) { return Mask(a.base() == b.base()); }
  friend Mask operator!=(Native a, Native b) { return !(a == b); }

  Native& operator+=(Native b) { return *this = *this + b; }
  Native& operator-=(Native b) { return *this = *this - b; }
  Native& operator*=(Native b) { return *this = *this * b; }
  Native& operator/=(Native b) requires is_float { return *this = *this / b; }
  Native& operator&=(Native b) requires(!is_float) { return *this = *this & b; }
  Native& operator|=(Native b) requires(!is_float) { return *this = *this | b; }
  Native& operator^=(Native b) requires(!is_float) { return *this = *this ^ b; }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
#endif
