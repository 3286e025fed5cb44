#include "halfstep/calibrators/range/mse_range.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <ScalarQuantizer Q>
double mean_squared_error(const Q& q, const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) {
    const double error = static_cast<double>(x) - static_cast<double>(q.decode(q.encode(x)));
    sum += error * error;
  }
  return sum / static_cast<double>(values.size());
}

template <ScalarQuantizer Q>
Q min_max(const std::vector<float>& values, Symmetry symmetry) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return Q::fit({*low, *high, 0}, symmetry);
}

/// By how much the mean squared error of values and that of their histogram may differ: what stands for a value is off
/// by a bin's width h <= 2^-7 |x| at most, and so is the error e of the quantizer: |e'^2 - e^2| <= h (2 |e| + h).
template <ScalarQuantizer Q>
double histogram_slack(const Q& q, const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) {
    const double x = value, h = 0x1p-7 * std::fabs(x);
    sum += h * (2 * std::fabs(x - static_cast<double>(q.decode(q.encode(value)))) + h);
  }
  return sum / static_cast<double>(values.size());
}

/// What a scan over both ends, 60 by 60, finds.
template <ScalarQuantizer Q>
double brute_force(const std::vector<float>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  double least = std::numeric_limits<double>::infinity();
  for (int i = 1; i <= 60; ++i) {
    for (int j = 1; j <= 60; ++j) {
      const Range range{*low * static_cast<float>(i) / 60, *high * static_cast<float>(j) / 60, 0};
      least = std::min(least, mean_squared_error(Q::fit(range), values));
    }
  }
  return least;
}

template <int Bits>
void check_against_min_max(Symmetry symmetry) {
  for (const Distribution& distribution : distributions()) {
    const std::uint32_t seed = 50 + Bits;
    const FloatMatrix matrix = sample(distribution, 500, 6, seed);
    Histogram seen;
    seen.observe(matrix.view());
    const auto start = min_max<Uniform<Bits>>(matrix.values, symmetry);
    const auto searched = mse_range<Uniform<Bits>>(matrix.view(), {.symmetry = symmetry});
    const auto streamed = mse_range<Uniform<Bits>>(seen, {.symmetry = symmetry});
    const double from_min_max = mean_squared_error(start, matrix.values);
    const double from_data = mean_squared_error(searched, matrix.values);
    const double from_histogram = mean_squared_error(streamed, matrix.values);
    CAPTURE(distribution.name, Bits, seed, symmetry == Symmetry::affine, from_min_max, from_data, from_histogram);
    CHECK(from_data <= from_min_max * (1 + 3e-7));  // squares of float differences
    CHECK(from_histogram <=
          from_min_max + histogram_slack(start, matrix.values) + histogram_slack(streamed, matrix.values));
    CHECK(from_histogram <= 1.02 * from_min_max);  // values of a bin are spread about evenly
    if (symmetry == Symmetry::symmetric) CHECK(searched.zero_point == 1 << (Bits - 1));
  }
}

}  // namespace

TEST_CASE("the range of least error is never worse than min-max") {
  const Symmetry symmetry = GENERATE(Symmetry::affine, Symmetry::symmetric);
  check_against_min_max<2>(symmetry);
  check_against_min_max<3>(symmetry);
  check_against_min_max<4>(symmetry);
  check_against_min_max<6>(symmetry);
  check_against_min_max<8>(symmetry);
}

TEST_CASE("the search finds about what a scan over both ends finds") {
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 200, 2, 77);
    const auto choice = mse_search<Uniform<4>>(matrix.view())[0];
    CAPTURE(distribution.name, choice.mse);
    // It may end in a valley beside the lowest: coordinate by coordinate, against 3600 pairs.
    CHECK(choice.mse <= 1.05 * brute_force<Uniform<4>>(matrix.values));
  }
}

TEST_CASE("the search leaves rare outliers out, and each end by itself") {
  std::vector<float> values = random_matrix(1, 20000, 3).values;
  for (float& x : values) x = std::fabs(x);
  values[7] = 30;  // squared 729 / 20000 when clipped, 4 / 12 as steps of 2
  values[8] = -0.5f;
  const MatrixView<const float> view(values.data(), 200, 100);
  const auto choice = mse_search<Uniform<4>>(view)[0];
  CHECK(choice.range.max < 10);
  CHECK(choice.range.min > -0.25f);
  CHECK(choice.mse < mean_squared_error(min_max<Uniform<4>>(values, Symmetry::affine), values) / 5);
  Histogram seen;
  seen.observe(view);
  const auto streamed = mse_search<Uniform<4>>(seen)[0];
  CHECK(streamed.mse == Approx(choice.mse).epsilon(0.02));
}

TEST_CASE("a search by granule is the search of each granule, for any executor") {
  const FreshThreadsExecutor threads(3);
  const FloatMatrix matrix = random_matrix(120, 6, 5);
  for (const Tiling& tiling : {per_column(), per_row_block(50), per_column_map({0, 1, 1, 0, 2, 1})}) {
    const std::vector<RangeChoice<Uniform<4>>> choices = mse_search<Uniform<4>>(matrix.view(), {.tiling = tiling});
    CHECK(mse_search<Uniform<4>>(matrix.view(), {.tiling = tiling, .executor = threads}) == choices);
    CHECK(mse_ranges<Uniform<4>>(matrix.view(), {.tiling = tiling}) == quantizers_of(choices));
    const auto values = values_by_granule(matrix.view(), tiling);
    REQUIRE(choices.size() == values.size());
    for (std::size_t g = 0; g < values.size(); ++g) {
      const MatrixView<const float> alone(values[g].data(), 1, static_cast<Index>(values[g].size()));
      CHECK(mse_search<Uniform<4>>(alone)[0] == choices[g]);
      CHECK(mse_range<Uniform<4>>(alone) == choices[g].quantizer);
      CHECK(choices[g].mse == Approx(mean_squared_error(choices[g].quantizer, values[g])).epsilon(1.3e-7));
    }
  }
  Histogram seen(per_column());
  seen.observe(matrix.view());
  CHECK(mse_search<Uniform<4>>(seen, {.executor = threads}) == mse_search<Uniform<4>>(seen));
  CHECK(mse_ranges<Uniform<4>>(seen) == quantizers_of(mse_search<Uniform<4>>(seen)));
}

TEST_CASE("large data: the same bits for any executor, and about what its histogram says") {
  const FloatMatrix matrix = random_matrix(400, 200, 6);
  const BackwardsExecutor backwards;
  const auto choice = mse_search<Uniform<4>>(matrix.view());
  CHECK(mse_search<Uniform<4>>(matrix.view(), {.executor = backwards}) == choice);
  Histogram seen;
  seen.observe(matrix.view());
  const auto streamed = mse_search<Uniform<4>>(seen);
  // 80000 values of a smooth density: bins are a sixteenth of a step at most, and phases even out.
  CHECK(streamed[0].mse == Approx(choice[0].mse).epsilon(0.005));
  CHECK(mean_squared_error(streamed[0].quantizer, matrix.values) <= 1.005 * choice[0].mse);
}

TEST_CASE("constants, zeros and single values keep an error of nothing") {
  for (const float value : {0.0f, 3.25f, -0.75f, 1e-20f, 1e30f}) {
    FloatMatrix matrix(3, 3);
    for (float& x : matrix.values) x = value;
    Histogram seen;
    seen.observe(matrix.view());
    for (const auto& choice : {mse_search<Uniform<8>>(matrix.view())[0], mse_search<Uniform<8>>(seen)[0]}) {
      CAPTURE(value, choice.quantizer.scale, choice.quantizer.zero_point);
      const float back = choice.quantizer.decode(choice.quantizer.encode(value));
      CHECK(std::fabs(back - value) <= 0x1p-22f * std::fabs(value));
      CHECK(choice.range.min == value);
      CHECK(choice.range.max == value);
    }
  }
}

TEST_CASE("points that stand for bins share their counts") {
  FloatBins bins;
  const std::vector<float> values = {1.0f, 1.001f, 1.002f, 1.003f, 1.004f, 0.0f, -2.0f, -2.001f, 7.0f};
  bins.add(values.data(), static_cast<Index>(values.size()));
  const WeightedPoints points(bins);
  CHECK(points.values.size() % ColumnSums::width == 0);
  CHECK(points.weights.size() == points.values.size());
  double total = 0, below = 0, ones = 0;
  for (std::size_t i = 0; i < points.values.size(); ++i) {
    total += static_cast<double>(points.weights[i]);
    if (points.values[i] < 0) below += static_cast<double>(points.weights[i]);
    if (points.values[i] >= 1 && points.values[i] < 1.0078125f) ones += static_cast<double>(points.weights[i]);
  }
  CHECK(total == 9);
  CHECK(below == 2);
  CHECK(ones == 5);
}

TEST_CASE("the search says what is wrong") {
  FloatMatrix matrix = random_matrix(3, 4, 1);
  Histogram seen(per_column());
  CHECK_RAISES(mse_ranges<Uniform<8>>(seen), "no data was observed");
  seen.observe(matrix.view());
  CHECK_RAISES(mse_range<Uniform<8>>(seen), "mse_range: the tiling gives 4 granules, expected 1");
  CHECK_RAISES(mse_ranges<Uniform<8>>(seen, {.tiling = per_row()}), "options have a tiling");
  CHECK_RAISES(mse_range<Uniform<8>>(matrix.view(), {.steps = 0}), "steps is 0, expected at least 1");
  CHECK_RAISES(mse_range<Uniform<8>>(matrix.view(), {.rounds = -1}), "rounds is -1, expected at least 0");
  CHECK_RAISES(mse_range<Uniform<8>>(matrix.view().row_range(0, 0)), "matrix of shape [0, 4] has no elements");
  matrix.values[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(mse_range<Uniform<8>>(matrix.view()), "mse_search: matrix is not finite: row 0, column 2 is nan");
}
