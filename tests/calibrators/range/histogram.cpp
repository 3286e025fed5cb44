#include "halfstep/calibrators/range/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a histogram counts the values of each granule") {
  const FreshThreadsExecutor threads(3);
  const FloatMatrix matrix = any_finite(40, 6, 3);
  for (const Tiling& tiling : all_tilings()) {
    CAPTURE(tiling.tile_rows, tiling.tile_cols);
    Histogram seen(tiling, 5);
    seen.observe(matrix.view(), threads);
    const auto values = values_by_granule(matrix.view(), tiling);
    REQUIRE(seen.granules().size() == values.size());
    for (std::size_t g = 0; g < values.size(); ++g) {
      FloatBins expected(5);
      expected.add(values[g].data(), static_cast<Index>(values[g].size()));
      CHECK(seen.granules()[g] == expected);
    }
  }
}

TEST_CASE("a histogram is the same for any order of batches, merges and executor") {
  const std::uint32_t seed = GENERATE(41u, 42u);
  CAPTURE(seed);
  const FloatMatrix matrix = random_matrix(2400, 30, seed);
  const FreshThreadsExecutor threads(4);
  for (const Tiling& tiling : {per_tensor(), per_column()}) {
    Histogram expected(tiling), at_once(tiling);
    expected.observe(matrix.view());
    at_once.observe(matrix.view(), threads);
    CHECK(at_once == expected);
    std::vector<Index> order(12);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    std::vector<Histogram> parts(3, Histogram(tiling));
    for (const Index i : order) {
      parts[static_cast<std::size_t>(i % 3)].observe(matrix.view().row_range(i * 200, 200));
    }
    parts[2].merge(parts[1]);
    parts[2].merge(parts[0]);
    CHECK(parts[2] == expected);
  }
}

TEST_CASE("a histogram knows the range: ends exactly, the mean of |x| to half a bin") {
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 50, 6, 4);
    Histogram seen(per_column());
    MinMax exact(per_column());
    seen.observe(matrix.view());
    exact.observe(matrix.view());
    const std::vector<Range> ranges = seen.ranges(), expected = exact.ranges();
    for (std::size_t g = 0; g < ranges.size(); ++g) {
      CAPTURE(distribution.name, g);
      CHECK(ranges[g].min == expected[g].min);
      CHECK(ranges[g].max == expected[g].max);
      CHECK(std::fabs(ranges[g].mean_abs - expected[g].mean_abs) <= 0x1p-8f * expected[g].mean_abs);
    }
  }
}

TEST_CASE("streaming percentiles are those of the sorted values to a bin's width") {
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 800, 6, 5);
    Histogram seen(per_column());
    for (Index b = 0; b < 8; ++b) seen.observe(matrix.view().row_range(b * 100, 100));
    for (const double p : {0.9, 0.999, 0.99999, 1.0}) {
      const std::vector<Range> streamed = percentile_ranges(seen, p);
      const std::vector<Range> exact = percentile_ranges(matrix.view(), {.p = p, .tiling = per_column()});
      const std::vector<Range> whole = seen.ranges();
      for (std::size_t g = 0; g < exact.size(); ++g) {
        CAPTURE(distribution.name, p, g);
        // Neighbours of a rank may be far apart at the ends: what bounds the error is the larger of the two.
        const float bound = 0x1p-7f * absmax(whole[g]);
        CHECK(std::fabs(streamed[g].min - exact[g].min) <= (p == 1 ? 0 : bound));
        CHECK(std::fabs(streamed[g].max - exact[g].max) <= (p == 1 ? 0 : bound));
        CHECK(streamed[g].mean_abs == whole[g].mean_abs);
      }
    }
  }
}

TEST_CASE("a histogram says what is wrong") {
  Histogram seen;
  CHECK_RAISES(seen.range(), "halfstep: Histogram::range: no data was observed");
  CHECK_RAISES(seen.granules(), "halfstep: Histogram::granules: no data was observed");
  CHECK_RAISES(percentile_range(seen, 0.999), "no data was observed");
  FloatMatrix matrix = random_matrix(3, 4, 1);
  matrix.values[6] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(seen.observe(matrix.view()),
               "halfstep: Histogram::observe: batch is not finite: row 1, column 2 is nan");
  CHECK_RAISES(seen.range(), "no data was observed");
  CHECK_RAISES(seen.merge(Histogram(per_tensor(), 6)), "Histogram::merge: other has 6 mantissa bits, expected 7");
  CHECK_RAISES(seen.merge(Histogram(per_row())), "Histogram::merge: other has another tiling");
  CHECK_RAISES(Histogram(per_tensor(), -1), "mantissa_bits is -1, expected 0 to 16");
  seen.observe(matrix.view().row_range(2, 1));
  CHECK_RAISES(percentile_range(seen, 0.3), "p is 0.3, expected 0.5 to 1");
  Histogram columns(per_column());
  columns.observe(matrix.view().row_range(2, 1));
  CHECK_RAISES(columns.range(), "Histogram::range: the tiling gives 4 granules, expected 1");
}

TEST_CASE("a histogram is made of the counts that it had, if they fit") {
  Histogram seen(per_column(), 5);
  seen.observe(random_matrix(20, 3, 8).view());
  CHECK(Histogram(seen.tiling(), seen.shape(), seen.granules()) == seen);
  CHECK_RAISES(Histogram(per_column(), {20, 4}, seen.granules()), "statistics of 3 granules, expected 4");
  CHECK_RAISES(Histogram(per_column(), {20, 0}, {}), "statistics of 0 granules, expected 0, more than 0");
  std::vector<FloatBins> mixed = seen.granules();
  mixed[2] = FloatBins(3);
  CHECK_RAISES(Histogram(per_column(), {20, 3}, mixed), "granules have bins of 5 and of 3 mantissa bits");
}
