#pragma once

/// \file
/// A batch without vector registers: what `FloatBatch` and `IntBatch` are on machines that xsimd has nothing for, and
/// on every machine a second batch type to hold the native one against in tests.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "halfstep/config.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// One truth value per lane of a portable batch. Combined by `&`, `|`, `^` and `!`.
struct PortableMask {
  static constexpr std::size_t size = 4;
  bool lane[size];

  PortableMask() = default;
  PortableMask(bool value) : lane{value, value, value, value} {}

  friend PortableMask operator&(PortableMask a, PortableMask b) {
    return zip(a, b, [](bool p, bool q) { return p && q; });
  }
  friend PortableMask operator|(PortableMask a, PortableMask b) {
    return zip(a, b, [](bool p, bool q) { return p || q; });
  }
  friend PortableMask operator^(PortableMask a, PortableMask b) {
    return zip(a, b, [](bool p, bool q) { return p != q; });
  }
  PortableMask operator!() const { return *this ^ PortableMask(true); }

 private:
  template <class F>
  static PortableMask zip(PortableMask a, PortableMask b, F f) {
    PortableMask r;
    for (std::size_t i = 0; i < size; ++i) r.lane[i] = f(a.lane[i], b.lane[i]);
    return r;
  }
};

/// Four lanes of `T` (float or std::int32_t) with the operators of a scalar, applied to each lane. Integer sums,
/// differences, products and left shifts wrap around, as they do in a vector register.
template <class T>
struct Portable {
  using value_type = T;
  static constexpr std::size_t size = PortableMask::size;
  T lane[size];

  Portable() = default;
  Portable(T value) : lane{value, value, value, value} {}

  /// The lanes `f(a.lane[i], b.lane[i])`, of type `R` (a batch or a mask).
  template <class R, class F>
  static R zip(Portable a, Portable b, F f) {
    R r;
    for (std::size_t i = 0; i < size; ++i) r.lane[i] = f(a.lane[i], b.lane[i]);
    return r;
  }

  friend Portable operator+(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return T(Wide(p) + Wide(q)); });
  }
  friend Portable operator-(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return T(Wide(p) - Wide(q)); });
  }
  friend Portable operator*(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return T(Wide(p) * Wide(q)); });
  }
  friend Portable operator/(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return p / q; });
  }
  friend Portable operator&(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return p & q; });
  }
  friend Portable operator|(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return p | q; });
  }
  friend Portable operator^(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return p ^ q; });
  }
  friend Portable operator<<(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return T(Wide(p) << q); });
  }
  friend Portable operator>>(Portable a, Portable b) {
    return zip<Portable>(a, b, [](T p, T q) { return p >> q; });
  }
  friend PortableMask operator<(Portable a, Portable b) {
    return zip<PortableMask>(a, b, [](T p, T q) { return p < q; });
  }
  friend PortableMask operator<=(Portable a, Portable b) {
    return zip<PortableMask>(a, b, [](T p, T q) { return p <= q; });
  }
  friend PortableMask operator>(Portable a, Portable b) { return b < a; }
  friend PortableMask operator>=(Portable a, Portable b) { return b <= a; }
  friend PortableMask operator==(Portable a, Portable b) {
    return zip<PortableMask>(a, b, [](T p, T q) { return p == q; });
  }
  friend PortableMask operator!=(Portable a, Portable b) { return !(a == b); }
  Portable operator-() const {
    return zip<Portable>(*this, *this, [](T p, T) { return T(-Wide(p)); });
  }
  Portable operator~() const { return *this ^ Portable(-1); }

  Portable& operator+=(Portable b) { return *this = *this + b; }
  Portable& operator-=(Portable b) { return *this = *this - b; }
  Portable& operator*=(Portable b) { return *this = *this * b; }
  Portable& operator/=(Portable b) { return *this = *this / b; }
  Portable& operator&=(Portable b) { return *this = *this & b; }
  Portable& operator|=(Portable b) { return *this = *this | b; }
  Portable& operator^=(Portable b) { return *this = *this ^ b; }
  Portable& operator<<=(Portable b) { return *this = *this << b; }
  Portable& operator>>=(Portable b) { return *this = *this >> b; }

 private:
  /// The type to compute in: a float stays one, an integer wraps around without undefined behaviour.
  using Wide = std::conditional_t<std::is_integral_v<T>, std::uint32_t, T>;
};

using PortableFloat = Portable<float>;
using PortableInt = Portable<std::int32_t>;

/// A batch whose lanes are `f` of the lanes of the arguments: how a scalar function becomes one of portable batches.
template <class R, class F, class... Batches>
R map_lanes(F f, const Batches&... batches) {
  R r;
  for (std::size_t i = 0; i < R::size; ++i) r.lane[i] = f(batches.lane[i]...);
  return r;
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
