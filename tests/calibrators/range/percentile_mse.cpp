#include "halfstep/calibrators/range/percentile_mse.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double mean_squared_error(const Uniform<4>& q, const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) {
    const double error = static_cast<double>(x) - static_cast<double>(q.decode(q.encode(x)));
    sum += error * error;
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("percentile-mse takes the percentile of least error of each granule") {
  const FreshThreadsExecutor threads(3);
  const std::vector<double> candidates = {0.97, 0.98, 0.99, 0.995, 0.9995, 0.9997, 0.9999, 0.99995, 0.99999};
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 300, 6, 6);
    for (const Tiling& tiling : {per_tensor(), per_column(), per_row_block(120)}) {
      PercentileMseOptions options{.percentiles = candidates, .tiling = tiling};
      const auto choices = percentile_mse<Uniform<4>>(matrix.view(), options, repq_fit<4>);
      options.executor = threads;
      CHECK(percentile_mse<Uniform<4>>(matrix.view(), options, repq_fit<4>) == choices);
      const auto values = values_by_granule(matrix.view(), tiling);
      REQUIRE(choices.size() == values.size());
      for (std::size_t g = 0; g < values.size(); ++g) {
        std::vector<double> errors;
        std::vector<Uniform<4>> quantizers;
        for (const double p : candidates) {
          quantizers.push_back(repq_fit<4>({quantile(values[g], 1.0 - p), quantile(values[g], p), 0}));
          errors.push_back(mean_squared_error(quantizers.back(), values[g]));
        }
        const auto index = static_cast<std::size_t>(choices[g].index);
        CAPTURE(distribution.name, tiling.tile_rows, tiling.tile_cols, g, index);
        REQUIRE(index < candidates.size());
        CHECK(choices[g].quantizer == quantizers[index]);
        // Float differences are off by 2^-24 of themselves, squares by twice that.
        CHECK(std::fabs(choices[g].mse - errors[index]) <= 1.3e-7 * errors[index]);
        CHECK(errors[index] <= *std::min_element(errors.begin(), errors.end()) * (1 + 3e-7));
        CHECK(choices[g].range.mean_abs == mean_abs(values[g]));
      }
    }
  }
}

TEST_CASE("percentile-mse of equals is the first, and of a constant a quantizer that gives it back") {
  FloatMatrix constant(7, 3);
  for (float& x : constant.values) x = -4.7f;
  const auto choices = percentile_mse<Uniform<4>>(constant.view(), {.tiling = per_column()}, repq_fit<4>);
  REQUIRE(choices.size() == 3);
  for (const auto& choice : choices) {
    CHECK(choice.index == 0);
    CHECK(choice.range == Range{-4.7f, -4.7f, 4.7f});
    CHECK(choice.quantizer.decode(choice.quantizer.encode(-4.7f)) == Approx(-4.7f).epsilon(0x1p-22));
  }
  CHECK(percentile_mse<Uniform<4>>(FloatMatrix(2, 2).view())[0].quantizer == Uniform<4>{1, 0});
}

TEST_CASE("percentile-mse refuses nothing, what is not finite, and no candidates") {
  FloatMatrix matrix = random_matrix(3, 4, 1);
  CHECK_RAISES(percentile_mse<Uniform<4>>(matrix.view(), {.percentiles = {}}), "percentile_mse: percentiles is empty");
  CHECK_RAISES(percentile_mse<Uniform<4>>(matrix.view(), {.percentiles = {0.9, 0.3}}), "percentile_mse: p is 0.3");
  CHECK_RAISES(percentile_mse<Uniform<4>>(matrix.view().col_range(0, 0)), "matrix of shape [3, 0] has no elements");
  matrix.values[9] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(percentile_mse<Uniform<4>>(matrix.view()),
               "percentile_mse: matrix is not finite: row 2, column 1 is inf");
}
