#include "halfstep/calibrators/range/dual_clip.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The mean squared error of one pair of factors, element by element in double.
double plain_mse(const std::vector<float>& values, float low, float high) {
  const auto q = Uniform<4>::fit({low, high, 0});
  double sum = 0;
  for (const float x : values) {
    const double e = static_cast<double>(x) - static_cast<double>(q.decode(q.encode(x)));
    sum += e * e;
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("dual clipping finds the pair of factors of least error") {
  for (const Distribution& distribution : distributions()) {
    CAPTURE(distribution.name);
    const FloatMatrix matrix = sample(distribution, 60, 6, 5);
    const DualClipOptions options;
    const auto choices = dual_clip<Uniform<4>>(matrix.view(), options);
    const auto granules = values_by_granule(matrix.view(), per_column());
    REQUIRE(choices.size() == granules.size());
    for (std::size_t g = 0; g < granules.size(); ++g) {
      const auto [least, largest] = std::minmax_element(granules[g].begin(), granules[g].end());
      const float low = std::min(*least, 0.0f), high = std::max(*largest, 0.0f);
      double best = std::numeric_limits<double>::infinity();
      for (const float u : options.factors) {
        for (const float l : options.factors) best = std::min(best, plain_mse(granules[g], low * l, high * u));
      }
      // Sums of 60 squares in another order.
      CHECK(choices[g].mse == Approx(best).epsilon(1e-12));
      CHECK(choices[g].mse <= plain_mse(granules[g], low, high) * (1 + 1e-12));
      CHECK(choices[g].range.min == low * choices[g].lower);
      CHECK(choices[g].range.max == high * choices[g].upper);
    }
  }
}

TEST_CASE("dual clipping leaves the side alone that has nothing, and gives zeros scale 1") {
  const std::vector<float> values = {0, 1, 0, 2, 0, 3, 0, 100};  // [4, 2]: a channel of zeros, a positive one
  const auto choices = dual_clip<Uniform<4>>(MatrixView<const float>(values.data(), 4, 2));
  CHECK(choices[0].quantizer.scale == 1.0f);
  CHECK(choices[0].mse == 0.0);
  CHECK(choices[0].upper == 1.0f);
  CHECK(choices[0].lower == 1.0f);
  CHECK(choices[1].lower == 1.0f);
  CHECK(choices[1].quantizer.zero_point == 0);
}

TEST_CASE("dual clipping is the same for any executor") {
  const FloatMatrix matrix = sample(distributions()[3], 300, 40, 6);
  const auto expected = dual_clip<Uniform<4>>(matrix.view(), {.tiling = per_column_block(20)});
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  CHECK(dual_clip<Uniform<4>>(matrix.view(), {.tiling = per_column_block(20), .executor = pool}) == expected);
  CHECK(dual_clip<Uniform<4>>(matrix.view(), {.tiling = per_column_block(20), .executor = backwards}) == expected);
}

TEST_CASE("dual clipping says what is wrong") {
  FloatMatrix matrix = random_matrix(3, 4, 1);
  CHECK_RAISES(dual_clip<Uniform<4>>(matrix.view(), {.factors = {}}), "dual_clip: factors is empty");
  CHECK_RAISES(dual_clip<Uniform<4>>(matrix.view(), {.factors = {0.5f, 1.5f}}),
               "a factor is 1.5, expected more than 0");
  CHECK_RAISES(dual_clip<Uniform<4>>(matrix.view(), {.factors = {0.0f}}), "a factor is 0");
  CHECK_RAISES(dual_clip<Uniform<4>>(matrix.view().row_range(0, 0)), "matrix of shape [0, 4] has no elements");
  matrix.values[6] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(dual_clip<Uniform<4>>(matrix.view()), "dual_clip: matrix is not finite: row 1, column 2 is inf");
}
