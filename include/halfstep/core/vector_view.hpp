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
/// side by side (std::vector, std::span, an Eigen vector), which must outlive it.
struct VectorView {
  const float* data = nullptr;
  Index size = 0;

  constexpr VectorView() = default;
  constexpr VectorView(const float* data_, Index size_) : data(data_), size(size_) {}

  template <class V>
  requires(!std::same_as<V, VectorView> && FloatsInARow<const V, const float>) constexpr VectorView(
      const V& v)  // NOLINT(google-explicit-constructor): as spans convert
      : data(v.data()), size(static_cast<Index>(v.size())) {
    require_side_by_side("VectorView", v);
  }

  [[nodiscard]] constexpr bool empty() const { return size == 0; }
  /// Element i, 0 <= i < size. Unchecked.
  [[nodiscard]] constexpr float operator[](Index i) const { return data[i]; }
};

/// `size` floats side by side that may be written; empty by default. Made like a `VectorView`, and converts to one.
struct MutableVectorView {
  float* data = nullptr;
  Index size = 0;

  constexpr MutableVectorView() = default;
  constexpr MutableVectorView(float* data_, Index size_) : data(data_), size(size_) {}

  template <class V>
  requires(!std::same_as<std::remove_const_t<V>, MutableVectorView> &&
           FloatsInARow<V, float>) constexpr MutableVectorView(V& v)  // NOLINT(google-explicit-constructor): as spans
                                                                      // convert
      : data(v.data()), size(static_cast<Index>(v.size())) {
    require_side_by_side("MutableVectorView", v);
  }

  constexpr operator VectorView() const { return {data, size}; }  // NOLINT(google-explicit-constructor)

  [[nodiscard]] constexpr bool empty() const { return size == 0; }
  /// Element i, 0 <= i < size. Unchecked.
  [[nodiscard]] constexpr float& operator[](Index i) const { return data[i]; }
};

}  // namespace halfstep::inline HALFSTEP_ABI
