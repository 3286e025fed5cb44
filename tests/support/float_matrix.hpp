#pragma once

/// \file
/// Matrices of random floats, and the comparison of two matrices bit by bit.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

namespace halfstep_tests {

/// A row-major matrix that owns its values.
struct FloatMatrix {
  halfstep::Index rows = 0;
  halfstep::Index cols = 0;
  std::vector<float> values;

  FloatMatrix() = default;
  FloatMatrix(halfstep::Index rows_, halfstep::Index cols_)
      : rows(rows_), cols(cols_), values(static_cast<std::size_t>(rows_ * cols_)) {}

  [[nodiscard]] halfstep::MatrixView<const float> view() const { return {values.data(), rows, cols}; }
  [[nodiscard]] halfstep::MatrixView<float> view() { return {values.data(), rows, cols}; }
  [[nodiscard]] float operator()(halfstep::Index r, halfstep::Index c) const { return view()(r, c); }
};

/// Normally distributed values; the same for the same seed with one standard library.
inline FloatMatrix random_matrix(halfstep::Index rows, halfstep::Index cols, std::uint32_t seed, float deviation = 1,
                                 float mean = 0) {
  FloatMatrix matrix(rows, cols);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(mean, deviation);
  for (float& value : matrix.values) value = normal(generator);
  return matrix;
}

/// Where two matrices of one shape first differ in a bit, as a sentence; empty if they do not.
inline std::string first_difference(halfstep::MatrixView<const float> a, halfstep::MatrixView<const float> b) {
  if (halfstep::shape_of(a) != halfstep::shape_of(b)) return "the shapes differ";
  for (halfstep::Index r = 0; r < a.rows; ++r) {
    for (halfstep::Index c = 0; c < a.cols; ++c) {
      if (std::bit_cast<std::uint32_t>(a(r, c)) == std::bit_cast<std::uint32_t>(b(r, c))) continue;
      return halfstep::concat("row ", r, ", column ", c, ": ", a(r, c), " and ", b(r, c));
    }
  }
  return {};
}

}  // namespace halfstep_tests
