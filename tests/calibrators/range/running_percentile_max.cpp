#include "halfstep/calibrators/range/running_percentile_max.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a percentile maximum is the quantile of magnitudes, then follows it") {
  const FloatMatrix matrix = sample(distributions()[3], 90, 6, 11);
  for (const Tiling& tiling : {per_tensor(), per_column(), per_column_block(4)}) {
    RunningPercentileMax seen({.p = 0.97, .tiling = tiling, .sigma = 0.25f});
    std::vector<float> expected;
    for (Index b = 0; b < 3; ++b) {
      const auto batch = matrix.view().row_range(b * 30, 30);
      seen.observe(batch);
      const auto granules = values_by_granule(batch, tiling);
      expected.resize(granules.size());
      for (std::size_t g = 0; g < granules.size(); ++g) {
        std::vector<float> magnitudes;
        for (const float x : granules[g]) magnitudes.push_back(std::fabs(x));
        std::sort(magnitudes.begin(), magnitudes.end());
        const float m = sorted_quantile(magnitudes, 0.97);
        expected[g] = b == 0 ? m : moved_toward(expected[g], m, 0.25f);
      }
    }
    CHECK(seen.batches() == 3);
    const std::vector<Range> ranges = seen.ranges();
    REQUIRE(ranges.size() == expected.size());
    for (std::size_t g = 0; g < ranges.size(); ++g) {
      CHECK(ranges[g].max == expected[g]);
      CHECK(ranges[g].min == -expected[g]);
    }
  }
}

TEST_CASE("a percentile maximum of 1 is the largest magnitude, and is the same for any executor") {
  const FloatMatrix matrix = sample(distributions()[1], 50, 6, 12);
  RunningPercentileMax all({.p = 1.0}), backwards_seen({.p = 1.0});
  const BackwardsExecutor backwards;
  all.observe(matrix.view());
  backwards_seen.observe(matrix.view(), backwards);
  float largest = 0;
  for (const float x : matrix.values) largest = std::max(largest, std::fabs(x));
  CHECK(all.range().max == largest);
  CHECK(all.range() == backwards_seen.range());
}

TEST_CASE("Quamba's rule keeps its floor") {
  CHECK(quamba_fit<8>({-254, 100, 0}).scale == 2.0f);
  CHECK(quamba_fit<8>({-254, 100, 0}).zero_point == 128);
  CHECK(quamba_fit<8>({0, 0, 0}).scale == 1e-6f);
}

TEST_CASE("a percentile maximum says what is wrong") {
  CHECK_RAISES(RunningPercentileMax({.p = 1.5}), "RunningPercentileMax: p is 1.5, expected 0 to 1");
  CHECK_RAISES(RunningPercentileMax({.sigma = 0.0f}), "sigma is 0, expected more than 0");
  RunningPercentileMax seen;
  CHECK_RAISES(seen.range(), "no data was observed");
  FloatMatrix matrix = random_matrix(3, 4, 1);
  CHECK_RAISES(seen.observe(matrix.view().row_range(0, 0)), "has no elements");
  matrix.values[6] = -std::numeric_limits<float>::infinity();
  CHECK_RAISES(seen.observe(matrix.view()),
               "RunningPercentileMax::observe: matrix is not finite: row 1, column 2 is -inf");
  CHECK(seen.batches() == 0);
}
