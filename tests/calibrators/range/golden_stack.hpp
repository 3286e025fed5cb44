#pragma once

/// \file
/// Golden tensors of more than two axes.

#include <cstddef>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/observed_product.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

namespace halfstep_tests {

/// A tensor [.., rows, cols] as a list of matrices, in order.
struct GoldenStack {
  std::vector<halfstep::Index> shape;
  std::vector<float> values;
  halfstep::Index count = 1, rows = 0, cols = 0;

  GoldenStack(const Golden& g, const std::string& name) : shape(g.shape(name)), values(g.values<float>(name)) {
    REQUIRE(shape.size() >= 2);
    rows = shape[shape.size() - 2];
    cols = shape[shape.size() - 1];
    for (std::size_t i = 0; i + 2 < shape.size(); ++i) count *= shape[i];
  }

  [[nodiscard]] halfstep::MatrixView<const float> at(halfstep::Index i) const {
    return {values.data() + i * rows * cols, rows, cols};
  }
  /// All of them, one below the other.
  [[nodiscard]] halfstep::MatrixView<const float> all() const { return {values.data(), count * rows, cols}; }
};

/// Probabilities [images, heads, tokens, tokens] times values [images, heads, tokens, channels].
inline std::vector<halfstep::ObservedProduct> attention_products(const GoldenStack& probabilities,
                                                                 const GoldenStack& values) {
  REQUIRE(probabilities.shape.size() == 4);
  std::vector<halfstep::ObservedProduct> products;
  for (halfstep::Index i = 0; i < probabilities.count; ++i) {
    products.push_back(
        {.lhs = probabilities.at(i), .rhs = halfstep::transposed(values.at(i)), .head = i % probabilities.shape[1]});
  }
  return products;
}

}  // namespace halfstep_tests
