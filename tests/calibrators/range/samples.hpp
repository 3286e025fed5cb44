#pragma once

/// \file
/// Matrices of the distributions that calibrators meet, and plain loops over granules.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "halfstep/core/tiling.hpp"
#include "support/float_matrix.hpp"

namespace halfstep_tests {

/// A named distribution.
struct Distribution {
  std::string name;
  double (*draw)(std::mt19937& generator);
};

inline double draw_normal(std::mt19937& generator) { return std::normal_distribution<double>()(generator); }

/// Bell, heavy tail, one side, rare outliers, bounded, far from zero, tiny.
inline std::vector<Distribution> distributions() {
  return {{"normal", draw_normal},
          {"laplace",
           [](std::mt19937& g) {
             const double x = std::exponential_distribution<double>()(g);
             return (g() & 1u) != 0 ? x : -x;
           }},
          {"gelu",
           [](std::mt19937& g) {
             const double x = 2 * draw_normal(g);
             return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
           }},
          {"outliers", [](std::mt19937& g) { return draw_normal(g) * (g() % 1000 == 0 ? 80 : 1); }},
          {"uniform", [](std::mt19937& g) { return std::uniform_real_distribution<double>(-1, 1)(g); }},
          {"softmax", [](std::mt19937& g) { return std::exp(2 * draw_normal(g) - 6); }},
          {"negative", [](std::mt19937& g) { return -5 - std::exp(draw_normal(g)); }},
          {"tiny", [](std::mt19937& g) { return 1e-30 * draw_normal(g); }}};
}

inline FloatMatrix sample(const Distribution& distribution, halfstep::Index rows, halfstep::Index cols,
                          std::uint32_t seed) {
  FloatMatrix matrix(rows, cols);
  std::mt19937 generator(seed);
  for (float& value : matrix.values) value = static_cast<float>(distribution.draw(generator));
  return matrix;
}

/// Floats of any bits but infinities and NaN: all exponents, subnormals and both zeros.
inline FloatMatrix any_finite(halfstep::Index rows, halfstep::Index cols, std::uint32_t seed) {
  FloatMatrix matrix(rows, cols);
  std::mt19937 generator(seed);
  for (float& value : matrix.values) {
    do {
      value = std::bit_cast<float>(static_cast<std::uint32_t>(generator()));
    } while (!std::isfinite(value));
    if (generator() % 16 == 0) value = std::copysign(0.0f, value);
  }
  return matrix;
}

/// A view to read a matrix that the test goes on to change.
inline halfstep::MatrixView<const float> read(const FloatMatrix& matrix) { return matrix.view(); }

/// Every tiling that a matrix [rows, 6] takes.
inline std::vector<halfstep::Tiling> all_tilings() {
  using namespace halfstep;
  return {per_tensor(),
          per_row(),
          per_column(),
          per_group(4),
          per_block(3, 2),
          per_row_block(2),
          per_column_block(3),
          per_group(1),
          per_block(2, 16),
          per_block(100, 1),
          per_column_map({0, 1, 1, 0, 2, 1})};
}

/// The values of each granule, row by row: `TilingGrid::granule` asked for one element at a time.
inline std::vector<std::vector<float>> values_by_granule(halfstep::MatrixView<const float> matrix,
                                                         const halfstep::Tiling& tiling) {
  const halfstep::TilingGrid grid(tiling, halfstep::shape_of(matrix));
  std::vector<std::vector<float>> values(static_cast<std::size_t>(grid.count()));
  for (halfstep::Index r = 0; r < matrix.rows; ++r) {
    for (halfstep::Index c = 0; c < matrix.cols; ++c) {
      values[static_cast<std::size_t>(grid.granule(r, c))].push_back(matrix(r, c));
    }
  }
  return values;
}

}  // namespace halfstep_tests
