#pragma once

/// \file
/// What tests of equivalent transforms take from golden files: matrices as Eigen's, layers to fold into, and codes that
/// may be off by one beside a tie.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "halfstep/core/linear_view.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

namespace halfstep_tests {

/// A float tensor as Eigen's matrix, leading dimensions as rows.
inline halfstep::MatrixF eigen_matrix(const Golden& g, const std::string& name) {
  const halfstep::LoadedMatrix<float> m = g.matrix(name);
  halfstep::MatrixF matrix(m.rows, m.cols);
  std::copy(m.values.begin(), m.values.end(), matrix.data());
  return matrix;
}

/// A linear layer that owns its parameters.
struct GoldenLayer {
  halfstep::MatrixF weight;
  std::vector<float> bias;
  halfstep::LinearView view() { return {halfstep::mutable_view(weight), bias}; }
};

/// How many entries of `found` (anything with `data()`) are farther from the tensor `name` than the tolerance.
template <class Found>
int mismatches_with(const Golden& g, const std::string& name, const Found& found, Tolerance tolerance) {
  const std::vector<float> expected = g.values<float>(name);
  REQUIRE(static_cast<std::size_t>(found.size()) == expected.size());
  return mismatches(
      expected, [&](std::size_t i) { return found.data()[i]; }, tolerance);
}

/// The tolerance `relative` times the largest entry of the tensor `name`: what README-mixed.md calls "rel".
inline Tolerance of_largest(const Golden& g, const std::string& name, double relative) {
  double most = 0;
  for (const float value : g.values<float>(name)) most = std::max(most, std::fabs(static_cast<double>(value)));
  return {0, relative * most};
}

/// Whether `steps`, a value in units of its quantizer's step, is within `distance` of where rounding changes.
inline bool is_near_tie(double steps, double distance) {
  return std::fabs(std::fabs(steps - std::floor(steps)) - 0.5) <= distance;
}

}  // namespace halfstep_tests
