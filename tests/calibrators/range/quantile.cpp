#include "halfstep/calibrators/range/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

const double all_p[] = {0, 1e-5, 0.001, 0.1, 0.25, 0.5, 0.75, 1 - 0.9, 0.9, 0.999, 0.9999, 0.99999, 1};

/// The card's definition, with every rounding to float32 forced.
float oracle(std::vector<float> values, double p) {
  std::sort(values.begin(), values.end());
  const volatile float p32 = static_cast<float>(p), last = static_cast<float>(values.size() - 1);
  const volatile float rank = p32 * last;
  const auto below = static_cast<std::size_t>(std::floor(rank)), above = static_cast<std::size_t>(std::ceil(rank));
  const volatile float weight = rank - std::floor(rank), distance = values[above] - values[below];
  if (weight < 0.5f) {
    const volatile float step = weight * distance;
    return values[below] + step;
  }
  const volatile float rest = 1.0f - weight;
  const volatile float step = rest * distance;
  return values[above] - step;
}

}  // namespace

TEST_CASE("a quantile is the card's, bit for bit, sorted or not") {
  const std::uint32_t seed = GENERATE(1u, 2u, 3u);
  for (const Index n : {1, 2, 3, 10, 960, 2867, 10007}) {
    for (const Distribution& distribution : distributions()) {
      const std::vector<float> values = sample(distribution, 1, n, seed).values;
      std::vector<float> sorted = values;
      std::sort(sorted.begin(), sorted.end());
      for (const double p : all_p) {
        CAPTURE(seed, n, distribution.name, p);
        const float expected = oracle(values, p);
        REQUIRE(quantile(values, p) == expected);
        REQUIRE(sorted_quantile(sorted, p) == expected);
      }
    }
  }
}

TEST_CASE("sorted tails give the quantiles of the tails") {
  const std::uint32_t seed = GENERATE(4u, 5u);
  for (const Index n : {1, 2, 5, 100, 5000}) {
    for (const double innermost : {0.5, 0.75, 0.97, 0.999, 0.99999, 1.0}) {
      CAPTURE(seed, n, innermost);
      const std::vector<float> values = random_matrix(1, n, seed).values;
      std::vector<float> tails = values;
      sort_tails(tails, innermost);
      for (const double p : all_p) {
        if (p < innermost) continue;
        CHECK(sorted_quantile(tails, p) == oracle(values, p));
        CHECK(sorted_quantile(tails, 1.0 - p) == oracle(values, 1.0 - p));
      }
      std::sort(tails.begin(), tails.end());
      std::vector<float> sorted = values;
      std::sort(sorted.begin(), sorted.end());
      CHECK(tails == sorted);  // a permutation
    }
  }
}

TEST_CASE("ranks are float32 products up to 2^24 values and doubles beyond") {
  // 0.99999f is 0.99998998641..., and 959 times it rounds to a float32 rank whose weight a double rank misses.
  const QuantileRank small = quantile_rank(960, 0.99999);
  CHECK(small.float32_ranks);
  CHECK(small.below == 958);
  CHECK(small.above == 959);
  CHECK(small.weight == static_cast<double>(static_cast<float>(0.99999) * 959.0f) - 958);
  CHECK(std::fabs(small.weight - (0.99999 * 959 - 958)) > 1e-6);
  const Index limit = Index{1} << 24;
  CHECK(quantile_rank(limit, 0.5).float32_ranks);
  const QuantileRank large = quantile_rank(limit + 2, 0.5);
  CHECK_FALSE(large.float32_ranks);
  CHECK(large.below == limit / 2);
  CHECK(large.above == limit / 2 + 1);
  CHECK(large.weight == 0.5);
  for (const Index n : {limit, limit + 1, Index{1} << 31, Index{1} << 40}) {
    const QuantileRank last = quantile_rank(n, 1);
    CHECK(last.below == n - 1);
    CHECK(last.above == n - 1);
    CHECK(last.weight == 0);
  }
  CHECK(value_at({0, 1, 0.25, false}, 1.0f, 2.0f) == 1.25f);
}

TEST_CASE("quantiles between the largest floats stay finite") {
  constexpr float largest = std::numeric_limits<float>::max();
  CHECK(quantile(std::vector{-largest, largest}, 0.5) == 0);
  CHECK(quantile(std::vector{-largest, largest}, 0.25) == -largest / 2);
  CHECK(quantile(std::vector{-largest, largest}, 0.75) == largest / 2);
}

TEST_CASE("a quantile of nothing, of NaN, or beyond 1 is refused") {
  CHECK_RAISES(quantile(std::vector<float>{}, 0.5), "halfstep: quantile_rank: there are 0 values, expected at least 1");
  const std::vector<float> values = {1, 2, std::numeric_limits<float>::quiet_NaN()};
  CHECK_RAISES(quantile(values, 0.5), "halfstep: quantile: values[2] is nan");
  CHECK_RAISES(quantile(std::vector{1.0f}, 1.5), "p is 1.5, expected 0 to 1");
  CHECK_RAISES(quantile(std::vector{1.0f}, std::nan("")), "p is nan");
}
