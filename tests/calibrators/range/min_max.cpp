#include "halfstep/calibrators/range/min_max.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

Range oracle(const std::vector<float>& values) {
  double sum = 0;
  float low = values[0], high = values[0];
  for (const float x : values) {
    sum += std::fabs(static_cast<double>(x));
    low = std::min(low, x);
    high = std::max(high, x);
  }
  return {low, high, static_cast<float>(sum / static_cast<double>(values.size()))};
}

void check_range(const Range& range, const Range& expected) {
  CHECK(range.min == expected.min);
  CHECK(range.max == expected.max);
  // The oracle's double sum is off by 1e-13 of itself at most, which moves the rounded float by one place at most.
  CHECK(std::fabs(range.mean_abs - expected.mean_abs) <= 0x1p-23f * expected.mean_abs);
}

}  // namespace

TEST_CASE("min-max is what a loop finds, for every distribution and tiling") {
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 37, 6, 17);
    for (const Tiling& tiling : all_tilings()) {
      CAPTURE(distribution.name, tiling.tile_rows, tiling.tile_cols);
      MinMax seen(tiling);
      seen.observe(matrix.view());
      const std::vector<Range> ranges = seen.ranges();
      const auto values = values_by_granule(matrix.view(), tiling);
      REQUIRE(ranges.size() == values.size());
      for (std::size_t g = 0; g < ranges.size(); ++g) check_range(ranges[g], oracle(values[g]));
    }
  }
}

TEST_CASE("min-max reads Eigen matrices of any order, type and stride") {
  const FloatMatrix matrix = random_matrix(5, 8, 3);
  const auto row_major = as_eigen(matrix.view());
  const Eigen::MatrixXf column_major = row_major;
  const Eigen::MatrixXd doubles = row_major.cast<double>();
  MinMax expected(per_column());
  expected.observe(matrix.view());
  for (const int which : {0, 1, 2, 3}) {
    MinMax seen(per_column());
    if (which == 0) seen.observe(row_major);
    if (which == 1) seen.observe(column_major);
    if (which == 2) seen.observe(doubles);
    if (which == 3) {
      seen.observe(column_major.topRows(2));
      seen.observe(column_major.bottomRows(3));
    }
    CAPTURE(which);
    CHECK(seen == expected);
  }
}

TEST_CASE("min-max is the same bits for any order of batches, merges and executor") {
  const std::uint32_t seed = GENERATE(21u, 22u, 23u);
  CAPTURE(seed);
  const FloatMatrix matrix = any_finite(60, 6, seed);
  const BackwardsExecutor backwards;
  for (const Tiling& tiling : {per_tensor(), per_column(), per_column_block(4)}) {
    MinMax expected(tiling);
    expected.observe(matrix.view());
    std::vector<Index> order(12);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    std::vector<MinMax> parts(3, MinMax(tiling));
    for (const Index i : order) {
      parts[static_cast<std::size_t>(i % 3)].observe(matrix.view().row_range(i * 5, 5), backwards);
    }
    parts[1].merge(parts[2]);
    parts[1].merge(parts[0]);
    CHECK(parts[1] == expected);
    const std::vector<Range> a = parts[1].ranges(), b = expected.ranges();
    for (std::size_t g = 0; g < a.size(); ++g) {
      CHECK(std::bit_cast<std::uint32_t>(a[g].min) == std::bit_cast<std::uint32_t>(b[g].min));
      CHECK(std::bit_cast<std::uint32_t>(a[g].max) == std::bit_cast<std::uint32_t>(b[g].max));
      CHECK(std::bit_cast<std::uint32_t>(a[g].mean_abs) == std::bit_cast<std::uint32_t>(b[g].mean_abs));
    }
  }
}

TEST_CASE("min-max of one value, of zeros of either sign, of the largest floats") {
  const std::vector<float> zeros = {-0.0f, 0.0f, -0.0f};
  MinMax seen;
  seen.observe(MatrixView<const float>(zeros.data(), 1, 3));
  CHECK(seen.range() == Range{});
  CHECK_FALSE(std::signbit(seen.range().min));
  MinMax constant;
  const float value = -2.5f;
  constant.observe(MatrixView<const float>(&value, 1, 1));
  CHECK(constant.range() == Range{-2.5f, -2.5f, 2.5f});
  constexpr float largest = std::numeric_limits<float>::max();
  const std::vector<float> extremes = {largest, -largest, largest};
  MinMax wide;
  wide.observe(MatrixView<const float>(extremes.data(), 3, 1));
  CHECK(wide.range() == Range{-largest, largest, largest});
}

TEST_CASE("min-max says what is wrong") {
  MinMax seen;
  CHECK_RAISES(seen.range(), "halfstep: MinMax::range: no data was observed");
  CHECK_RAISES(seen.ranges(), "halfstep: MinMax::ranges: no data was observed");
  FloatMatrix matrix = random_matrix(3, 4, 1);
  matrix.values[6] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(seen.observe(matrix.view()), "halfstep: MinMax::observe: batch is not finite: row 1, column 2 is nan");
  CHECK_RAISES(seen.range(), "no data was observed");
  MinMax columns(per_column());
  columns.observe(matrix.view().row_range(2, 1));
  CHECK_RAISES(columns.range(), "MinMax::range: the tiling gives 4 granules, expected 1");
  CHECK_RAISES(columns.merge(seen), "halfstep: MinMax::merge: other has another tiling");
}

TEST_CASE("min-max is made of the statistics that it had, if some values have them") {
  MinMax seen(per_column());
  seen.observe(any_finite(20, 3, 8).view());
  CHECK(MinMax(seen.tiling(), seen.shape(), seen.granules()) == seen);
  const RangeStatisticParts parts = seen.granules()[1].parts();
  CHECK(RangeStatistic(parts) == seen.granules()[1]);
  RangeStatisticParts wrong = parts;
  wrong.sum_abs[4] = std::uint64_t{1} << 40;  // 2^147
  CHECK_RAISES(RangeStatistic(wrong), "the sum of |x| is too large");
  wrong = parts;
  wrong.count = 0;
  CHECK_RAISES(RangeStatistic(wrong), "the number of values is below 1");
  CHECK_RAISES(MinMax(per_column(), {20, 2}, seen.granules()), "statistics of 3 granules, expected 2");
}
