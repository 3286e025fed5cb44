#pragma once

/// \file
/// A row of floats that somebody else owns: a bias, a gain.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <concepts>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// `size` floats side by side; empty by default. Converts from anything with `data()` and `size()` whose floats lie
/// side by side (std::vector, std::span, an Eigen vector).
struct VectorView {
  const float* data = nullptr;
  Index size = 0;

  constexpr VectorView() = default;
  constexpr VectorView(const float* data_, Index size_) : data(data_), size(size_) {}

  template <class V>
  requires(!std::same_as<std::remove_cvref_t<V>, VectorView>) && requires(const V& v) {
    { v.data() } -> std::convertible_to<const float*>;
    { v.size() } -> std::convertible_to<Index>;
  }
  constexpr VectorView(const V& v)  // NOLINT(google-explicit-constructor): as spans convert
      : data(v.data()), size(static_cast<Index>(v.size())) {
    if constexpr (requires { v.innerStride(); }) {
      if (v.size() > 1 && v.innerStride() != 1) {
        raise("VectorView", "vector has stride ", v.innerStride(), ", expected 1: copy it first");
      }
    }
  }

  [[nodiscard]] constexpr bool empty() const { return size == 0; }
  constexpr float operator[](Index i) const { return data[i]; }
};

}  // namespace halfstep::inline HALFSTEP_ABI
