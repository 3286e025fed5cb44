#pragma once

/// \file
/// Matrices of integers for the tests of integer operators.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/batch.hpp"

namespace halfstep_tests {

/// Rows of integers with a few elements of padding after each, which hold `poison` until somebody writes there.
template <class T>
struct IntegerMatrix {
  static constexpr halfstep::Index padding = 3;
  static constexpr T poison = static_cast<T>(77);

  halfstep::Index rows = 0;
  halfstep::Index cols = 0;
  std::vector<T> values;

  IntegerMatrix(halfstep::Index rows_, halfstep::Index cols_)
      : rows(rows_), cols(cols_), values(static_cast<std::size_t>(rows_ * (cols_ + padding)), poison) {}

  [[nodiscard]] halfstep::MatrixView<T> view() { return {values.data(), rows, cols, cols + padding, 1}; }
  [[nodiscard]] halfstep::MatrixView<const T> view() const { return {values.data(), rows, cols, cols + padding, 1}; }
  [[nodiscard]] T& operator()(halfstep::Index r, halfstep::Index c) { return view()(r, c); }
  [[nodiscard]] T operator()(halfstep::Index r, halfstep::Index c) const { return view()(r, c); }

  /// Row r in 64 bits.
  [[nodiscard]] std::vector<std::int64_t> wide_row(halfstep::Index r) const {
    std::vector<std::int64_t> row;
    for (halfstep::Index c = 0; c < cols; ++c) row.push_back((*this)(r, c));
    return row;
  }
  /// Whether nobody has written between the rows.
  [[nodiscard]] bool padding_is_untouched() const {
    for (halfstep::Index r = 0; r < rows; ++r) {
      for (halfstep::Index c = cols; c < cols + padding; ++c) {
        if (values[static_cast<std::size_t>(r * (cols + padding) + c)] != poison) return false;
      }
    }
    return true;
  }
};

/// Uniformly distributed integers from `low` to `high`.
template <class T>
IntegerMatrix<T> random_integers(halfstep::Index rows, halfstep::Index cols, std::uint32_t seed, std::int64_t low,
                                 std::int64_t high) {
  IntegerMatrix<T> matrix(rows, cols);
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<std::int64_t> uniform(low, high);
  for (halfstep::Index r = 0; r < rows; ++r) {
    for (halfstep::Index c = 0; c < cols; ++c) matrix(r, c) = static_cast<T>(uniform(generator));
  }
  return matrix;
}

/// The same from a golden tensor's values, `cols` to a row.
template <class T, class Value>
IntegerMatrix<T> integers_of(const std::vector<Value>& values, halfstep::Index cols) {
  IntegerMatrix<T> matrix(static_cast<halfstep::Index>(values.size()) / cols, cols);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<halfstep::Index>(i);
    matrix(at / cols, at % cols) = static_cast<T>(values[i]);
  }
  return matrix;
}

/// Where rows differ from what is expected of them, element by element; empty where they do not.
template <class T, class Expected>
std::string row_difference(const IntegerMatrix<T>& found, halfstep::Index r, const std::vector<Expected>& expected) {
  for (halfstep::Index c = 0; c < found.cols; ++c) {
    const auto e = static_cast<std::int64_t>(expected[static_cast<std::size_t>(c)]);
    if (static_cast<std::int64_t>(found(r, c)) != e) {
      return halfstep::concat("row ", r, ", column ", c, ": ", static_cast<std::int64_t>(found(r, c)), ", expected ",
                              e);
    }
  }
  return {};
}

/// Row lengths around the width of a register, and some primes.
inline std::vector<halfstep::Index> row_lengths() {
  constexpr auto lanes = static_cast<halfstep::Index>(halfstep::simd::batch_lanes);
  return {1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes, 31, 97, 197, 257};
}

}  // namespace halfstep_tests
