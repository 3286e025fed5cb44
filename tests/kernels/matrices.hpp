#pragma once

/// \file
/// Matrices for the tests of kernels, and comparisons of them.

#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "halfstep/core/tiling.hpp"
#include "support/float_matrix.hpp"

namespace halfstep_tests {

/// Normally distributed values as an Eigen matrix.
template <class M = halfstep::MatrixF>
M random_eigen(halfstep::Index rows, halfstep::Index cols, std::uint32_t seed, float deviation = 1, float mean = 0) {
  const FloatMatrix source = random_matrix(rows, cols, seed, deviation, mean);
  M matrix(rows, cols);
  for (halfstep::Index r = 0; r < rows; ++r) {
    for (halfstep::Index c = 0; c < cols; ++c) matrix(r, c) = static_cast<typename M::Scalar>(source(r, c));
  }
  return matrix;
}

using ColumnMajorF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

/// Where two matrices first differ in a bit; empty where they do not.
template <class A, class B>
std::string difference(const A& a, const B& b) {
  return first_difference(halfstep::view(a), halfstep::view(b));
}

/// Columns dealt to groups of `size` in turn, the last group shorter: what act-order checkpoints have.
inline halfstep::Tiling dealt_columns(halfstep::Index cols, halfstep::Index size) {
  if (cols == 0) return halfstep::per_row();
  const halfstep::Index groups = (cols + size - 1) / size;
  std::vector<std::int32_t> map(static_cast<std::size_t>(cols));
  std::vector<halfstep::Index> left(static_cast<std::size_t>(groups), size);
  left.back() = cols - (groups - 1) * size;
  halfstep::Index group = groups / 2;
  for (halfstep::Index c = 0; c < cols; ++c) {
    do {
      group = (group + 1) % groups;
    } while (left[static_cast<std::size_t>(group)] == 0);
    --left[static_cast<std::size_t>(group)];
    map[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(group);
  }
  return halfstep::per_column_map(map);
}

/// Every kind of tiling, for a matrix of this shape.
inline std::vector<halfstep::Tiling> all_tilings(halfstep::Index cols) {
  namespace hs = halfstep;
  return {hs::per_tensor(),    hs::per_row(),         hs::per_column(),     hs::per_group(5),
          hs::per_group(16),   hs::per_group(19),     hs::per_row_block(3), hs::per_column_block(7),
          hs::per_block(4, 6), dealt_columns(cols, 8)};
}

}  // namespace halfstep_tests
