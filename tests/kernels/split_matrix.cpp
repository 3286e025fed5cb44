#include "halfstep/kernels/split_matrix.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

std::vector<std::int32_t> columns_of(const SplitMatrix& m) { return {m.columns().begin(), m.columns().end()}; }

/// Normal values with outliers in columns 3 and 17; the threshold itself in column 3.
FloatMatrix with_two_outliers(Index rows, Index cols) {
  FloatMatrix x = random_matrix(rows, cols, 81);
  x.view()(rows / 2, 3) = -6.0f;
  x.view()(rows - 1, 17) = 40.0f;
  return x;
}

}  // namespace

TEST_CASE("columns that reach the threshold stay floats, the others become codes", "[split]") {
  const FloatMatrix x = with_two_outliers(9, 40);
  const SplitMatrix split_x = split(x.view());
  CHECK(columns_of(split_x) == std::vector<std::int32_t>{3, 17});
  for (Index r = 0; r < 9; ++r) {
    float absmax = 0;
    for (Index c = 0; c < 40; ++c) absmax = c == 3 || c == 17 ? absmax : std::fmax(absmax, std::fabs(x(r, c)));
    const Absmax<8> q{absmax};
    CHECK(split_x.integers().scale(r) == absmax / 127);
    std::int32_t sum = 0;
    for (Index c = 0; c < 40; ++c) {
      const bool is_outlier = c == 3 || c == 17;
      const int code = split_x.integers().plane_value(0, r, c);
      CHECK(code == (is_outlier ? 128 : q.encode(x(r, c))));
      CHECK(split_x.value(r, c) == (is_outlier ? static_cast<double>(x(r, c)) : split_x.integers().value(r, c)));
      sum += code;
    }
    CHECK(split_x.integers().sum(0, r, 0) == sum);
    CHECK(split_x.floats()(r, 1) == x(r, 17));
  }
  CHECK(split_x.bytes() == split_x.integers().bytes() + 2 * 4 + 9 * 2 * 4);
}

TEST_CASE("rows can be scaled by all elements below the threshold", "[split]") {
  FloatMatrix x = with_two_outliers(5, 20);
  x.view()(0, 3) = 5.5f;  // an inlier of an outlier column
  const SplitMatrix split_x = split(x.view(), {.row_magnitude = RowMagnitude::other_elements});
  CHECK(split_x.integers().scale(0) == 5.5f / 127);
  CHECK(split_x.integers().plane_value(0, 0, 3) == 128);
  CHECK(split(x.view()).integers().scale(0) < 5.5f / 127);
}

TEST_CASE("without a threshold nothing is split, and a threshold of all leaves no codes", "[split]") {
  const FloatMatrix x = with_two_outliers(5, 20);
  CHECK(split(x.view(), {.threshold = 0}).columns().empty());
  CHECK(split(x.view(), {.threshold = 0}).integers().scale(4) == 40.0f / 127);
  const SplitMatrix all = split(x.view(), {.threshold = 1e-30f});
  CHECK(all.columns().size() == 20);
  CHECK(all.integers().scale(0) == 1.0f / 127);
  CHECK(split(x.view().row_range(0, 0)).rows() == 0);
}

TEST_CASE("a row that is not finite has no say in what is an outlier, and is marked", "[split]") {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    FloatMatrix x = with_two_outliers(6, 24);
    const SplitMatrix before = split(x.view());
    x.view()(1, 9) = bad;
    x.view()(1, 10) = 100;
    const SplitMatrix after = split(x.view());
    CHECK(columns_of(after) == columns_of(before));
    for (Index r = 0; r < 6; ++r) {
      CAPTURE(bad, r);
      CHECK(std::isnan(after.integers().scale(r)) == (r == 1));
      if (r != 1) CHECK(after.integers().scale(r) == before.integers().scale(r));
    }
  }
}

TEST_CASE("a split does not depend on executor or storage order", "[split]") {
  const FloatMatrix x = with_two_outliers(700, 37);
  const SplitMatrix expected = split(x.view(), {.group = 16});
  FloatMatrix turned(37, 700);
  for (Index r = 0; r < 700; ++r) {
    for (Index c = 0; c < 37; ++c) turned.view()(c, r) = x(r, c);
  }
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const SplitMatrix& found :
       {split(x.view(), {.group = 16, .executor = pool}), split(x.view(), {.group = 16, .executor = backwards}),
        split(transposed(turned.view()), {.group = 16})}) {
    CHECK(columns_of(found) == columns_of(expected));
    CHECK(found.integers() == expected.integers());
    CHECK(found.floats() == expected.floats());
  }
}

TEST_CASE("a split refuses a threshold that is none", "[split]") {
  const FloatMatrix x = random_matrix(3, 4, 82);
  CHECK_RAISES(split(x.view(), {.threshold = -1}), "split: threshold is -1, expected a positive number");
  CHECK_RAISES(split(x.view(), {.threshold = std::numeric_limits<float>::quiet_NaN()}), "threshold is nan");
  CHECK_RAISES(split(x.view(), {.threshold = std::numeric_limits<float>::infinity()}), "threshold is inf");
}
