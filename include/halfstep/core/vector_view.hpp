#pragma once

/// \file
/// A row of floats that somebody else owns: a bias, a gain.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <concepts>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// Anything with `data()` and `size()` over elements of which a pointer converts to `T*`: std::vector, std::span, an
/// Eigen vector.
template <class V, class T>
concept FloatsInARow = requires(V& v) {
  { v.data() } -> std::convertible_to<T*>;
  { v.size() } -> std::convertible_to<Index>;
};

/// Refuses an Eigen vector whose elements do not lie side by side.
template <class V>
constexpr void require_side_by_side(std::string_view where, const V& v) {
  if constexpr (requires { v.innerStride(); }) {
    if (v.size() > 1 && v.innerStride() != 1) {
      raise(where, "vector has stride ", static_cast<Index>(v.innerStride()), ", expected 1: copy it first");
    }
  }
}

/// `size` floats side by side; empty by default. Converts from anything with `data()` and `size()` whose floats lie
/// side by side (std::vector, std::span, an Eigen vector), which must outlive it. `VectorView` is that of float;
/// transforms are written for double as well.
template <class T>
struct BasicVectorView {
  const T* data = nullptr;
  Index size = 0;

  constexpr BasicVectorView() = default;
  constexpr BasicVectorView(const T* data_, Index size_) : data(data_), size(size_) {}

  template <class V>
  requires(!std::same_as<V, BasicVectorView> && FloatsInARow<const V, const T>) constexpr BasicVectorView(
      const V& v)  // NOLINT(google-explicit-constructor): as spans convert
      : data(v.data()), size(static_cast<Index>(v.size())) {
    require_side_by_side("VectorView", v);
  }

  [[nodiscard]] constexpr bool empty() const { return size == 0; }
  /// Element i, 0 <= i < size. Unchecked.
  [[nodiscard]] constexpr T operator[](Index i) const { return data[i]; }
};

using VectorView = BasicVectorView<float>;

/// `size` floats side by side that may be written; empty by default. Made like a `VectorView`, and converts to one.
template <class T>
struct BasicMutableVectorView {
  T* data = nullptr;
  Index size = 0;

  constexpr BasicMutableVectorView() = default;
  constexpr BasicMutableVectorView(T* data_, Index size_) : data(data_), size(size_) {}

  template <class V>
  requires(!std::same_as<std::remove_const_t<V>, BasicMutableVectorView> &&
           FloatsInARow<V, T>) constexpr BasicMutableVectorView(V& v)  // NOLINT(google-explicit-constructor): as spans
                                                                       // convert
      : data(v.data()), size(static_cast<Index>(v.size())) {
    require_side_by_side("MutableVectorView", v);
  }

  constexpr operator BasicVectorView<T>() const { return {data, size}; }  // NOLINT(google-explicit-constructor)

  [[nodiscard]] constexpr bool empty() const { return size == 0; }
  /// Element i, 0 <= i < size. Unchecked.
  [[nodiscard]] constexpr T& operator[](Index i) const { return data[i]; }
};

using MutableVectorView = BasicMutableVectorView<float>;

}  // namespace halfstep::inline HALFSTEP_ABI
