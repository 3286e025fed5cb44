#include "halfstep/calibrators/range/output_metric.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("sums over errors take every element once, whatever their number") {
  for (Index n = 0; n < 70; ++n) {
    std::vector<float> error, factor;
    double squares = 0, magnitudes = 0, weighted = 0;
    for (Index i = 0; i < n; ++i) {  // small integers: all sums are exact
      const double e = static_cast<double>(i % 11 - 5), f = static_cast<double>(i % 3 - 1);
      error.push_back(static_cast<float>(e));
      factor.push_back(static_cast<float>(f));
      squares += e * e;
      magnitudes += e < 0 ? -e : e;
      weighted += e * e * f * f;
    }
    CHECK(squared_loss(error.data(), n) == squares);
    CHECK(absolute_loss(error.data(), n) == magnitudes);
    CHECK(weighted_loss(error.data(), factor.data(), n) == weighted);
  }
}

TEST_CASE("the loss of a cosine is 0 for a multiple, 1 at right angles and for nothing, 2 for the opposite") {
  const auto loss = [](std::vector<float> y, std::vector<float> found) {
    CosineSums sums;
    for (std::size_t i = 0; i < y.size(); ++i) sums.add(y[i], found[i] - y[i]);
    return sums.loss();
  };
  CHECK(loss({3, 4}, {6, 8}) == Approx(0).margin(1e-15));
  CHECK(loss({3, 4}, {-4, 3}) == Approx(1));
  CHECK(loss({3, 4}, {-3, -4}) == Approx(2));
  CHECK(loss({3, 4}, {0, 0}) == 1);
  CHECK(loss({0, 0}, {0, 0}) == 1);
}
