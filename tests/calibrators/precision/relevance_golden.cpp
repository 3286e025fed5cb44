// Agreement with the rules of golden/lrp_clip.safetensors: relevances within 1e-3 of the largest of their tensor.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "halfstep/calibrators/precision/relevance.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The largest difference as a share of the largest expected value.
double difference(const MatrixF& found, MatrixView<const float> expected, float factor = 1) {
  REQUIRE(shape_of(view(found)) == shape_of(expected));
  double most = 0, largest = 0;
  for (Index r = 0; r < expected.rows; ++r) {
    for (Index c = 0; c < expected.cols; ++c) {
      most = std::max(most, std::fabs(static_cast<double>(found(r, c) * factor - expected(r, c))));
      largest = std::max(largest, std::fabs(static_cast<double>(expected(r, c))));
    }
  }
  return most / largest;
}

}  // namespace

TEST_CASE("golden: relevance of linear layers, sums and products", "[golden]") {
  const Golden g("lrp_clip");
  for (const GoldenCase& c : g.cases("*.lin_a*")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> x = g.matrix(c.prefix + "x"), w = g.matrix(c.prefix + "W"), r = g.matrix(c.prefix + "R");
    const MatrixF found = relevance_of_linear(x.view(), w.view(), r.view(), c.number(1));
    CHECK(difference(found, g.matrix(c.name).view()) <= 1e-3);
  }
  for (const GoldenCase& c : g.cases("*.add_R")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> a = g.matrix(c.prefix + "add_a"), b = g.matrix(c.prefix + "add_b"), r = g.matrix(c.name);
    const RelevancePair found = relevance_of_sum(a.view(), b.view(), r.view());
    CHECK(difference(found.first, g.matrix(c.prefix + "add_Ra").view()) <= 1e-3);
    CHECK(difference(found.second, g.matrix(c.prefix + "add_Rb").view()) <= 1e-3);
  }
  for (const GoldenCase& c : g.cases("*.mm_R")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> a = g.matrix(c.prefix + "mm_A"), b = g.matrix(c.prefix + "mm_B"), r = g.matrix(c.name);
    const LoadedMatrix<float> of_a = g.matrix(c.prefix + "mm_RA"), of_b = g.matrix(c.prefix + "mm_RB");
    const Index heads = g.shape(c.name).at(0), rows = a.rows / heads, inner = b.rows / heads;
    for (Index h = 0; h < heads; ++h) {
      const RelevancePair found = relevance_of_product(
          a.view().row_range(h * rows, rows), b.view().row_range(h * inner, inner), r.view().row_range(h * rows, rows));
      // The file has relevances before each factor gets half.
      CHECK(difference(found.first, of_a.view().row_range(h * rows, rows), 2) <= 1e-3);
      CHECK(difference(found.second, of_b.view().row_range(h * inner, inner), 2) <= 1e-3);
    }
  }
}
