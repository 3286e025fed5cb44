#include "halfstep/calibrators/range/region_ratio_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double plain_error(const TwinGelu<4>& q, const FloatMatrix& x, const FloatMatrix* weights) {
  double sum = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double e = static_cast<double>(x.values[i]) - static_cast<double>(q.decode(q.encode(x.values[i])));
    sum += e * e * (weights == nullptr ? 1 : static_cast<double>(weights->values[i]));
  }
  return sum;
}

}  // namespace

TEST_CASE("the ratio of steps is the one of least error on the grid") {
  for (const Distribution& distribution : distributions()) {
    CAPTURE(distribution.name);
    const FloatMatrix x = sample(distribution, 30, 7, 111);
    FloatMatrix weights = random_matrix(30, 7, 112);
    for (float& w : weights.values) w = std::fabs(w);
    for (const bool is_weighted : {false, true}) {
      RegionRatioOptions options{.largest_shift = 4, .steps = 11};
      if (is_weighted) options.weights = read(weights);
      const auto found = region_ratio_search<4>(x.view(), options);
      // 210 squares, with weights each cut to 29 bits.
      CHECK(found.error == Approx(plain_error(found.quantizer, x, is_weighted ? &weights : nullptr)).epsilon(1e-8));
      CHECK(found.quantizer.scale == std::ldexp(found.quantizer.negative_scale, found.shift));
      CHECK(found.is_complete);
      const float top = *std::max_element(x.values.begin(), x.values.end()) > 0
                            ? *std::max_element(x.values.begin(), x.values.end())
                            : -*std::min_element(x.values.begin(), x.values.end());
      for (int m = 0; m <= 4; ++m) {
        for (int i = 0; i <= 10; ++i) {
          const auto scale = static_cast<float>((0.5 + 0.05 * i) * static_cast<double>(top) / 7);
          const TwinGelu<4> q{scale, std::ldexp(scale, -m)};
          CHECK(found.error <= plain_error(q, x, is_weighted ? &weights : nullptr) * (1 + 1e-6));
        }
      }
    }
  }
}

TEST_CASE("values on one side and zeros have a ratio of 1 or whatever fits") {
  const std::vector<float> positive = {0, 1, 2, 5}, negative = {-1, -2, -5, 0}, zeros(4, 0.0f);
  CHECK(region_ratio_search<4>(MatrixView<const float>(positive.data(), 2, 2)).shift == 0);
  const auto below = region_ratio_search<4>(MatrixView<const float>(negative.data(), 2, 2));
  CHECK(below.error <= 4 * 0.25 * (5.0 / 7) * (5.0 / 7));  // half a step for each, at most
  const auto none = region_ratio_search<4>(MatrixView<const float>(zeros.data(), 2, 2));
  CHECK(none.error == 0);
  CHECK(none.shift == 0);
}

TEST_CASE("the ratio search is the same for any executor, and stops where it is told to") {
  const FloatMatrix x = sample(distributions()[2], 300, 150, 113);
  const auto expected = region_ratio_search<4>(x.view(), {.largest_shift = 2, .steps = 10});
  ThreadPool pool(3);
  const auto found = region_ratio_search<4>(x.view(), {.largest_shift = 2, .steps = 10, .executor = pool});
  CHECK(found.quantizer == expected.quantizer);
  CHECK(found.error == expected.error);
  const auto stop = [](const Progress& p) {
    CHECK(p.total == 900);
    return p.done < 200;
  };
  const auto stopped = region_ratio_search<4>(x.view().row_range(0, 2), {.progress = stop});
  CHECK_FALSE(stopped.is_complete);
  CHECK(stopped.shift <= 1);
}

TEST_CASE("the ratio search says what is wrong") {
  FloatMatrix x = random_matrix(3, 4, 1), weights = random_matrix(3, 4, 2);
  for (float& w : weights.values) w = std::fabs(w);
  CHECK_RAISES(region_ratio_search<4>(x.view(), {.largest_shift = 31}), "largest_shift is 31, expected 0 to 30");
  CHECK_RAISES(region_ratio_search<4>(x.view(), {.steps = 1}), "steps is 1, expected at least 2");
  CHECK_RAISES(region_ratio_search<4>(x.view().row_range(0, 0)), "x of shape [0, 4] has no elements");
  CHECK_RAISES(region_ratio_search<4>(x.view(), {.weights = read(weights).row_range(0, 2)}),
               "weights has shape [2, 4], expected that of x, [3, 4]");
  weights.values[6] = -1;
  CHECK_RAISES(region_ratio_search<4>(x.view(), {.weights = read(weights)}),
               "weights has -1 in row 1, column 2, expected at least 0");
  x.values[6] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(region_ratio_search<4>(x.view()), "region_ratio_search: x is not finite: row 1, column 2 is nan");
}
