#include "halfstep/calibrators/range/percentile.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("percentile ranges are the quantiles of each granule, for any executor") {
  const FreshThreadsExecutor threads(3);
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 60, 6, 8);
    for (const Tiling& tiling : all_tilings()) {
      for (const double p : {0.5, 0.97, 0.99999, 1.0}) {
        CAPTURE(distribution.name, tiling.tile_rows, tiling.tile_cols, p);
        const std::vector<Range> ranges = percentile_ranges(matrix.view(), {.p = p, .tiling = tiling});
        CHECK(percentile_ranges(matrix.view(), {.p = p, .tiling = tiling, .executor = threads}) == ranges);
        const auto values = values_by_granule(matrix.view(), tiling);
        REQUIRE(ranges.size() == values.size());
        for (std::size_t g = 0; g < values.size(); ++g) {
          CHECK(ranges[g].min == quantile(values[g], 1.0 - p));
          CHECK(ranges[g].max == quantile(values[g], p));
          CHECK(ranges[g].mean_abs == mean_abs(values[g]));
          CHECK(ranges[g].min <= ranges[g].max);
        }
      }
    }
  }
}

TEST_CASE("percentile 1 is min-max") {
  const FloatMatrix matrix = random_matrix(30, 7, 3);
  MinMax seen(per_column());
  seen.observe(matrix.view());
  CHECK(percentile_ranges(matrix.view(), {.p = 1, .tiling = per_column()}) == seen.ranges());
}

TEST_CASE("a running percentile is the running average of the percentiles of its batches") {
  RunningPercentile seen({.p = 0.99, .tiling = per_column(), .sigma = 0.2f});
  RunningAverage expected({.tiling = per_column(), .sigma = 0.2f});
  for (std::uint32_t b = 0; b < 3; ++b) {
    const FloatMatrix batch = random_matrix(40 + b, 5, b + 1, 1 + static_cast<float>(b));
    seen.observe(batch.view());
    expected.update(percentile_ranges(batch.view(), {.p = 0.99, .tiling = per_column()}));
  }
  CHECK(seen.batches() == 3);
  CHECK(seen.ranges() == expected.ranges());
  CHECK_RAISES(seen.range(), "the tiling gives 5 granules");
}

TEST_CASE("percentiles of nothing, of what is not finite, and that cross are refused") {
  FloatMatrix matrix = random_matrix(3, 4, 1);
  CHECK_RAISES(percentile_range(matrix.view(), {.p = 0.4}), "percentile_ranges: p is 0.4, expected 0.5 to 1");
  CHECK_RAISES(percentile_range(matrix.view(), {.p = 1.1}), "p is 1.1");
  CHECK_RAISES(RunningPercentile({.p = 0.1}), "RunningPercentile: p is 0.1");
  CHECK_RAISES(percentile_range(matrix.view(), {.tiling = per_row()}), "the tiling gives 3 granules, expected 1");
  CHECK_RAISES(percentile_range(matrix.view().row_range(0, 0)), "matrix of shape [0, 4] has no elements");
  RunningPercentile seen;
  CHECK_RAISES(seen.range(), "no data was observed");
  matrix.values[7] = -std::numeric_limits<float>::infinity();
  CHECK_RAISES(seen.observe(matrix.view()), "percentile_ranges: matrix is not finite: row 1, column 3 is -inf");
  CHECK_RAISES(seen.range(), "no data was observed");
}
