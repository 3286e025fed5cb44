#include "halfstep/calibrators/range/value_loss.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the loss of values is the mean squared error of each granule") {
  const FloatMatrix matrix = random_matrix(30, 6, 1);
  for (const Tiling& tiling : all_tilings()) {
    const auto values = values_by_granule(matrix.view(), tiling);
    CHECK(values_of_granules("test", matrix.view(), tiling) == values);
    const ValueLoss<Uniform<3>> loss(matrix.view(), tiling);
    REQUIRE(loss.granules() == static_cast<Index>(values.size()));
    std::vector<Uniform<3>> quantizers;
    for (std::size_t g = 0; g < values.size(); ++g) {
      quantizers.push_back({0.3f + 0.01f * static_cast<float>(g % 7), static_cast<std::int32_t>(g % 5)});
    }
    std::vector<double> losses(values.size());
    loss(quantizers, losses);
    for (std::size_t g = 0; g < values.size(); ++g) {
      double sum = 0;
      for (const float x : values[g]) {
        const double e = static_cast<double>(x) - static_cast<double>(quantizers[g].decode(quantizers[g].encode(x)));
        sum += e * e;
      }
      // Differences are rounded to float, half an ulp twice in their squares.
      CHECK(losses[g] == Approx(sum / static_cast<double>(values[g].size())).epsilon(2e-7));
    }
  }
}

TEST_CASE("the loss of values refuses what is no data") {
  FloatMatrix matrix = random_matrix(3, 4, 2);
  CHECK_RAISES(ValueLoss<Uniform<4>>(matrix.view().row_range(0, 0)),
               "ValueLoss: matrix of shape [0, 4] has no elements");
  matrix.values[6] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(ValueLoss<Uniform<4>>(matrix.view()), "ValueLoss: matrix is not finite: row 1, column 2 is inf");
}
