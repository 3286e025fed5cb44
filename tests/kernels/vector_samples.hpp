#pragma once

/// \file
/// Codebooks for the tests of kernels: vectors of a matrix, taken at random.

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/codebook.hpp"
#include "support/float_matrix.hpp"

namespace halfstep_tests {

/// One codebook of random words for each granule of a matrix.
template <int Dim, int Words>
std::vector<halfstep::Codebook<Dim, Words>> random_codebooks(halfstep::Index granules, std::uint32_t seed,
                                                             float deviation = 1) {
  std::vector<halfstep::Codebook<Dim, Words>> codebooks(static_cast<std::size_t>(granules));
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, deviation);
  for (auto& codebook : codebooks) {
    for (float& value : codebook.values) value = normal(generator);
  }
  return codebooks;
}

/// The codebooks in 8 bits, each under its own scale.
template <int Dim, int Words>
std::vector<halfstep::Int8Codebook<Dim, Words>> in_bytes(const std::vector<halfstep::Codebook<Dim, Words>>& books) {
  std::vector<halfstep::Int8Codebook<Dim, Words>> result;
  for (const auto& book : books) result.push_back(halfstep::to_int8(book));
  return result;
}

/// Tilings whose granules vectors of 1, 2 and 4 values fill.
inline std::vector<halfstep::Tiling> vector_tilings() {
  namespace hs = halfstep;
  return {hs::per_tensor(),         hs::per_row(),        hs::per_row_block(5), hs::per_group(8),
          hs::per_column_block(12), hs::per_block(3, 20), hs::per_group(16)};
}

/// Number of granules of a tiling.
inline halfstep::Index granule_count(const halfstep::Tiling& tiling, halfstep::Shape shape) {
  return halfstep::TilingGrid(tiling, shape).count();
}

}  // namespace halfstep_tests
