#include "halfstep/kernels/row_range.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("the ends are found at every length", "[row_range]") {
  for (std::size_t n = 1; n <= 100; ++n) {
    const std::vector<float> x = random_matrix(1, static_cast<hs::Index>(n), static_cast<std::uint32_t>(n)).values;
    hs::RunningRange range;
    CHECK(hs::widen(range, x.data(), static_cast<hs::Index>(n)));
    hs::add_abs(range, x.data(), static_cast<hs::Index>(n));
    const hs::Range result = range.range();
    CHECK(result.min == *std::min_element(x.begin(), x.end()));
    CHECK(result.max == *std::max_element(x.begin(), x.end()));
    double sum = 0;
    for (const float value : x) sum += std::fabs(static_cast<double>(value));
    // n additions of doubles in another order, and one rounding to float.
    const double mean = sum / static_cast<double>(n);
    CHECK(std::fabs(static_cast<double>(result.mean_abs) - mean) <= mean * (0x1p-24 + 100 * 0x1p-52));
  }
}

TEST_CASE("the sum of magnitudes has one order", "[row_range]") {
  // Element i goes to partial sum i % 8, the partial sums are added first to last.
  const std::vector<float> x = random_matrix(1, 83, 3, 1e6f).values;
  double partial[8] = {};
  for (std::size_t i = 0; i < x.size(); ++i) partial[i % 8] += std::fabs(static_cast<double>(x[i]));
  double expected = 0;
  for (const double sum : partial) expected += sum;
  hs::RunningRange range;
  hs::add_abs(range, x.data(), 83);
  CHECK(range.sum_abs == expected);
}

TEST_CASE("ranges merge", "[row_range]") {
  const std::vector<float> x = random_matrix(1, 90, 4).values;
  hs::RunningRange first, second, all;
  CHECK(hs::widen(first, x.data(), 37));
  CHECK(hs::widen(second, x.data() + 37, 53));
  CHECK(hs::widen(all, x.data(), 90));
  first.merge(second);
  CHECK(first.range() == all.range());
  hs::RunningRange nothing;
  first.merge(nothing);
  CHECK(first.range() == all.range());
  CHECK(nothing.range() == hs::Range{});
}

TEST_CASE("a value that is not finite is noticed, and zeros have no sign", "[row_range]") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (std::size_t n = 1; n <= 40; ++n) {
      for (std::size_t at = 0; at < n; ++at) {
        std::vector<float> x(n, 1.0f);
        x[at] = bad;
        hs::RunningRange range;
        REQUIRE_FALSE(hs::widen(range, x.data(), static_cast<hs::Index>(n)));
      }
    }
  }
  const std::vector<float> zeros(9, -0.0f);
  hs::RunningRange range;
  CHECK(hs::widen(range, zeros.data(), 9));
  CHECK_FALSE(std::signbit(range.range().min));
  CHECK_FALSE(std::signbit(range.range().max));
}
