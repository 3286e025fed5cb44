#pragma once

/// \file
/// `Native<T>`, a vector register of the compiled instruction set, and `NativeMask<T>`, what comparing two gives.
///
/// They are thin classes over xsimd's batch, and exist because its operators do not all do what the same operator does
/// to a scalar: on NEON it divides by a refined reciprocal, which is not correctly rounded; on AVX its releases up to 8
/// say that NaN != NaN is false. Here every operator gives the bits of the scalar one, on every release.

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
  NativeMask(bool value) : data(Base(value).data) {}
  explicit NativeMask(Base base) : data(base.data) {}
  [[nodiscard]] static NativeMask of(register_type r) { return NativeMask(Base(r)); }

  [[nodiscard]] Base base() const { return Base(data); }
  /// The truth value of lane `i`. Slow: for tests and odd ends.
  [[nodiscard]] bool get(std::size_t i) const { return base().get(i); }

  friend NativeMask operator&(NativeMask a, NativeMask b) { return NativeMask(a.base() & b.base()); }
  friend NativeMask operator|(NativeMask a, NativeMask b) { return NativeMask(a.base() | b.base()); }
  friend NativeMask operator^(NativeMask a, NativeMask b) { return NativeMask(a.base() ^ b.base()); }
  NativeMask operator!() const { return NativeMask(~base()); }
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
  Native operator-() const { return Native(-base()); }

  friend Native operator&(Native a, Native b) requires(!is_float) { return Native(a.base() & b.base()); }
  friend Native operator|(Native a, Native b) requires(!is_float) { return Native(a.base() | b.base()); }
  friend Native operator^(Native a, Native b) requires(!is_float) { return Native(a.base() ^ b.base()); }
  friend Native operator<<(Native a, Native b) requires(!is_float) { return Native(a.base() << b.base()); }
  friend Native operator>>(Native a, Native b) requires(!is_float) { return Native(a.base() >> b.base()); }
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
