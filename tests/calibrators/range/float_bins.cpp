#include "halfstep/calibrators/range/float_bins.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

FloatBins counted(const std::vector<float>& values, int mantissa_bits = 7) {
  FloatBins bins(mantissa_bits);
  bins.add(values.data(), static_cast<Index>(values.size()));
  return bins;
}

std::vector<FloatBin> listed(const FloatBins& bins) {
  std::vector<FloatBin> list;
  bins.for_each_bin([&](const FloatBin& bin) { list.push_back(bin); });
  return list;
}

}  // namespace

TEST_CASE("bins are ascending, disjoint, narrow, and hold every value once") {
  const std::uint32_t seed = GENERATE(1u, 2u);
  const int mantissa_bits = GENERATE(0, 3, 7, 16);
  for (const bool any : {true, false}) {
    CAPTURE(seed, mantissa_bits, any);
    std::vector<float> values = any ? any_finite(1, 4001, seed).values : random_matrix(1, 4001, seed).values;
    const FloatBins bins = counted(values, mantissa_bits);
    std::sort(values.begin(), values.end());
    CHECK(bins.count() == 4001);
    CHECK(bins.min() == values.front());
    CHECK(bins.max() == values.back());
    auto next = values.begin();
    float before = -std::numeric_limits<float>::infinity();
    for (const FloatBin& bin : listed(bins)) {
      REQUIRE(bin.count > 0);
      REQUIRE(bin.low > before);
      REQUIRE(bin.low <= bin.high);
      const double smaller =
          std::min(std::fabs(static_cast<double>(bin.low)), std::fabs(static_cast<double>(bin.high)));
      const double width = static_cast<double>(bin.high) - static_cast<double>(bin.low);
      REQUIRE(width < std::ldexp(std::max(smaller, 0x1p-126), -mantissa_bits));
      for (std::int64_t i = 0; i < bin.count; ++i, ++next) {
        REQUIRE(next != values.end());
        REQUIRE(*next >= bin.low);
        REQUIRE(*next <= bin.high);
      }
      before = bin.high;
    }
    CHECK(next == values.end());
  }
}

TEST_CASE("counts do not depend on order, runs or merges") {
  const std::uint32_t seed = GENERATE(3u, 4u, 5u);
  CAPTURE(seed);
  std::vector<float> values = any_finite(1, 2000, seed).values;
  const FloatBins expected = counted(values);
  std::shuffle(values.begin(), values.end(), std::mt19937(seed));
  FloatBins one_by_one;
  for (const float x : values) one_by_one.add(x);
  CHECK(one_by_one == expected);
  for (const Index first : {0, 1, 77, 1999, 2000}) {
    FloatBins a, b;
    a.add(values.data(), first);
    b.add(values.data() + first, 2000 - first);
    FloatBins ba = b;
    ba.merge(a);
    a.merge(b);
    CHECK(a == expected);
    CHECK(ba == expected);
  }
  CHECK_FALSE(counted({1.0f}) == counted({2.0f}));
  CHECK_RAISES(FloatBins(3).merge(FloatBins(4)), "FloatBins::merge: other has 4 mantissa bits, expected 3");
  CHECK_RAISES(FloatBins(17), "mantissa_bits is 17, expected 0 to 16");
}

TEST_CASE("zeros, constants and subnormals have bins of their own") {
  CHECK(listed(counted({0.0f, -0.0f, 0.0f})) == std::vector<FloatBin>{{0, 0, 3}});
  CHECK(listed(counted({2.5f, 2.5f})) == std::vector<FloatBin>{{2.5f, 2.5f, 2}});
  CHECK(listed(counted({-2.5f, -2.5f})) == std::vector<FloatBin>{{-2.5f, -2.5f, 2}});
  CHECK(listed(counted({0x1p-149f, -0x1p-149f, 0})) ==
        std::vector<FloatBin>{{-0x1p-149f, -0x1p-149f, 1}, {0, 0, 1}, {0x1p-149f, 0x1p-149f, 1}});
  CHECK(listed(counted({1.0f, 1.0f + 0x1p-8f, 1.0f + 0x1p-7f, 4.0f})) ==
        std::vector<FloatBin>{{1, std::nextafter(1.0f + 0x1p-7f, 0.0f), 2},
                              {1.0f + 0x1p-7f, std::nextafter(1.0f + 0x1p-6f, 0.0f), 1},
                              {4, 4, 1}});
  CHECK(listed(FloatBins()).empty());
}

TEST_CASE("order statistics and quantiles lie within a bin of the sorted values") {
  for (const Distribution& distribution : distributions()) {
    std::vector<float> values = sample(distribution, 1, 3000, 7).values;
    const FloatBins bins = counted(values);
    std::sort(values.begin(), values.end());
    for (const std::int64_t k : {0, 1, 2, 50, 1500, 2990, 2998, 2999}) {
      const float expected = values[static_cast<std::size_t>(k)];
      CAPTURE(distribution.name, k, expected);
      CHECK(std::fabs(order_statistic(bins, k) - expected) <= 0x1p-7f * std::fabs(expected));
    }
    for (const double p : {0.0, 0.001, 0.3, 0.5, 0.999, 0.9999, 1.0}) {
      const QuantileRank rank = quantile_rank(3000, p);
      const float low = values[static_cast<std::size_t>(rank.below)],
                  high = values[static_cast<std::size_t>(rank.above)];
      CAPTURE(distribution.name, p, low, high);
      // Either neighbour is off by a bin's width at most, so what lies between them is.
      CHECK(std::fabs(quantile(bins, p) - sorted_quantile(values, p)) <=
            0x1p-7f * std::fmax(std::fabs(low), std::fabs(high)));
    }
    CHECK(quantile(bins, 0) == values.front());
    CHECK(quantile(bins, 1) == values.back());
  }
  CHECK_RAISES(quantile(FloatBins(), 0.5), "there are 0 values");
}

TEST_CASE("values of one bin count as evenly spread over it") {
  std::vector<float> values(100, 1.0f);
  values.push_back(4.0f);
  const FloatBins bins = counted(values);
  // The bin reaches from 1 to just below 1 + 2^-7; number 50 of 100 stands at (50 + 1/2) / 100 of it.
  CHECK(order_statistic(bins, 50) == Approx(1 + 0.505 * 0x1p-7).epsilon(1e-6));
  CHECK(order_statistic(bins, 0) == 1.0f);
  CHECK(order_statistic(bins, 100) == 4.0f);
}
