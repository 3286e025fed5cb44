#include "halfstep/calibrators/range/running_average.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/moved.hpp"
#include "calibrators/range/samples.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a running average is set by the first batch and moved by the others") {
  const std::vector<FloatMatrix> batches = {random_matrix(7, 6, 1), random_matrix(9, 6, 2, 3), random_matrix(2, 6, 3)};
  const float sigma = GENERATE(0.01f, 0.1f, 1.0f);
  for (const Tiling& tiling : {per_tensor(), per_column(), per_column_block(4)}) {
    RunningAverage seen({.tiling = tiling, .sigma = sigma});
    std::vector<Range> expected;
    for (const FloatMatrix& batch : batches) {
      seen.observe(batch.view());
      MinMax current(tiling);
      current.observe(batch.view());
      const std::vector<Range> ranges = current.ranges();
      if (expected.empty()) {
        expected = ranges;
        continue;
      }
      for (std::size_t g = 0; g < ranges.size(); ++g) {
        expected[g] = {moved(expected[g].min, ranges[g].min, sigma), moved(expected[g].max, ranges[g].max, sigma),
                       moved(expected[g].mean_abs, ranges[g].mean_abs, sigma)};
      }
    }
    CAPTURE(sigma, tiling.tile_cols);
    CHECK(seen.batches() == 3);
    CHECK(seen.ranges() == expected);
  }
}

TEST_CASE("the average of the tensor's range is what reducing the channels after every update gives") {
  // FQ-ViT's layer-wise mode: a scalar average meets the ranges of the channels, and is reduced again.
  const std::uint32_t seed = GENERATE(31u, 32u, 33u);
  CAPTURE(seed);
  RunningAverage tensor;
  float low = 0, high = 0;
  for (std::uint32_t b = 0; b < 20; ++b) {
    const FloatMatrix batch = random_matrix(5, 16, seed * 100 + b, 1 + static_cast<float>(b % 3));
    tensor.observe(batch.view());
    MinMax channels(per_column());
    channels.observe(batch.view());
    std::vector<float> lows, highs;
    for (const Range& range : channels.ranges()) {
      lows.push_back(b == 0 ? range.min : moved(low, range.min, 0.01f));
      highs.push_back(b == 0 ? range.max : moved(high, range.max, 0.01f));
    }
    low = *std::min_element(lows.begin(), lows.end());
    high = *std::max_element(highs.begin(), highs.end());
    CHECK(tensor.range().min == low);
    CHECK(tensor.range().max == high);
  }
}

TEST_CASE("ranges computed elsewhere update an average as their batches do, for any executor") {
  const BackwardsExecutor backwards;
  RunningAverage observed({.tiling = per_column()}), updated({.tiling = per_column()});
  for (std::uint32_t b = 0; b < 4; ++b) {
    const FloatMatrix batch = random_matrix(50, 8, b + 1);
    observed.observe(batch.view(), backwards);
    MinMax current(per_column());
    current.observe(batch.view());
    updated.update(current.ranges());
  }
  CHECK(observed.ranges() == updated.ranges());
}

TEST_CASE("a running average says what is wrong, and stays as it was") {
  CHECK_RAISES(RunningAverage({.sigma = 0}), "RunningAverage: sigma is 0, expected more than 0 and at most 1");
  CHECK_RAISES(RunningAverage({.sigma = 1.5f}), "sigma is 1.5");
  CHECK_RAISES(RunningAverage({.sigma = std::numeric_limits<float>::quiet_NaN()}), "sigma is nan");
  RunningAverage seen({.tiling = per_column()});
  CHECK_RAISES(seen.ranges(), "halfstep: RunningAverage::ranges: no data was observed");
  FloatMatrix batch = random_matrix(3, 4, 1);
  CHECK_RAISES(seen.observe(batch.view().row_range(0, 0)), "RunningAverage::observe: no data was observed");
  seen.observe(batch.view());
  const std::vector<Range> before = seen.ranges();
  CHECK_RAISES(seen.observe(batch.view().col_range(0, 3)), "the batch has 3 granules, expected 4 as before");
  batch.values[5] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(seen.observe(batch.view()), "RunningAverage::observe: batch is not finite: row 1, column 1 is inf");
  CHECK_RAISES(seen.update({}), "RunningAverage::update: no ranges were given");
  CHECK_RAISES(seen.range(), "RunningAverage::range: the tiling gives 4 granules");
  CHECK(seen.ranges() == before);
  CHECK(seen.batches() == 1);
}

TEST_CASE("a running average goes on from what was kept") {
  const FloatMatrix matrix = random_matrix(30, 6, 9);
  RunningAverage all({.tiling = per_column()}), first({.tiling = per_column()});
  all.observe(matrix.view().row_range(0, 20));
  first.observe(matrix.view().row_range(0, 20));
  RunningAverage resumed(first.options(), first.batches(), first.ranges());
  CHECK(resumed.ranges() == first.ranges());
  all.observe(matrix.view().row_range(20, 10));
  resumed.observe(matrix.view().row_range(20, 10));
  CHECK(resumed.batches() == 2);
  CHECK(resumed.ranges() == all.ranges());
  CHECK_RAISES(RunningAverage({}, 0, {{0, 1, 1}}), "batches is 0, expected at least 1");
  CHECK_RAISES(RunningAverage({}, 1, {}), "no ranges were given");
  CHECK_RAISES(RunningAverage({}, 1, {{2, 1, 1}}), "the least value of a range is above the largest");
  CHECK_RAISES(RunningAverage({}, 1, {{0, 1, -1}}), "a mean of |x| is negative or not finite");
}
