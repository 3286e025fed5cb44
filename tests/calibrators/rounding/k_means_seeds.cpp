#include "halfstep/calibrators/rounding/k_means_seeds.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a codebook gets at most a word for four vectors") {
  CHECK(words_for(256, 384) == 64);
  CHECK(words_for(32, 120) == 16);
  CHECK(words_for(16, 1 << 20) == 16);
  CHECK(words_for(17, 1 << 20) == 17);
  CHECK(words_for(16, 3) == 1);
  CHECK(words_for(16, 8) == 2);
}

TEST_CASE("k-means++ draws each seed by its squared distance to the seeds before") {
  const FloatMatrix x = random_matrix(203, 3, 1);
  const auto uniform = [](int n) { return std::fmod(0.37 * n, 1.0); };
  const auto seeds = plus_plus_seeds<3>(x.values.data(), 203, 20, 7, uniform);
  std::vector<double> nearest(203, 1e300);
  REQUIRE(seeds.size() == 20);
  CHECK(seeds[0] == 7);
  for (std::size_t n = 1; n < 20; ++n) {
    double total = 0;
    for (Index i = 0; i < 203; ++i) {
      double d = 0;
      for (Index j = 0; j < 3; ++j)
        d += std::pow(static_cast<double>(x(i, j)) - static_cast<double>(x(seeds[n - 1], j)), 2);
      nearest[static_cast<std::size_t>(i)] = std::min(nearest[static_cast<std::size_t>(i)], d);
      total += nearest[static_cast<std::size_t>(i)];
    }
    double before = 0;
    for (Index i = 0; i < seeds[n]; ++i) before += nearest[static_cast<std::size_t>(i)];
    const double wanted = uniform(static_cast<int>(n)) * total, slack = total * 1e-6;
    CAPTURE(n);
    CHECK(before <= wanted + slack);
    CHECK(before + nearest[static_cast<std::size_t>(seeds[n])] > wanted - slack);
  }
  CHECK(std::set<Index>(seeds.begin(), seeds.end()).size() == 20);
}

TEST_CASE("seeds do not depend on the executor, and follow the seed of the random numbers") {
  const FloatMatrix x = random_matrix(30000, 2, 2);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  const auto seeds = plus_plus_seeds<2>(x.values.data(), 30000, 16, Random(5));
  CHECK(plus_plus_seeds<2>(x.values.data(), 30000, 16, Random(5), pool) == seeds);
  CHECK(plus_plus_seeds<2>(x.values.data(), 30000, 16, Random(5), backwards) == seeds);
  CHECK_FALSE(plus_plus_seeds<2>(x.values.data(), 30000, 16, Random(6)) == seeds);
}

TEST_CASE("fewer different vectors than words repeat the first seed") {
  const std::vector<float> x{1, 2, 1, 2, 3, 4, 3, 4, 1, 2};
  for (const double u : {0.0, 0.5, 0.999999}) {
    const auto seeds = plus_plus_seeds<2>(x.data(), 5, 4, 0, [u](int) { return u; });
    CHECK(seeds[0] == 0);
    CHECK((seeds[1] == 2 || seeds[1] == 3));
    CHECK(seeds[2] == 0);
    CHECK(seeds[3] == 0);
  }
}

TEST_CASE("Mahalanobis seeds are spread over the distances from the mean") {
  // One direction: distances are those of |x - 4|, where equal by position: 4, 3, 5, 2, 6, 1, 7, 0, 8.
  const std::vector<float> line{0, 1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(mahalanobis_seeds<1>(line.data(), 9, 3) == std::vector<Index>{4, 6, 8});
  CHECK(mahalanobis_seeds<1>(line.data(), 9, 9) == std::vector<Index>{4, 3, 5, 2, 6, 1, 7, 0, 8});
  CHECK(mahalanobis_seeds<1>(line.data(), 9, 1) == std::vector<Index>{4});

  // The order does not change when elements are scaled or mixed.
  const FloatMatrix x = random_matrix(500, 4, 3);
  FloatMatrix mixed = x;
  for (Index i = 0; i < 500; ++i) {
    mixed.view()(i, 0) = 100 * x(i, 0);
    mixed.view()(i, 1) = x(i, 1) + 3 * x(i, 0);
    mixed.view()(i, 3) = 0.01f * x(i, 3) - x(i, 2) * 0.25f + 7;
  }
  CHECK(mahalanobis_seeds<4>(mixed.values.data(), 500, 16) == mahalanobis_seeds<4>(x.values.data(), 500, 16));

  // A direction without spread has no say.
  FloatMatrix flat = x;
  for (Index i = 0; i < 500; ++i) flat.view()(i, 2) = 5;
  const auto seeds = mahalanobis_seeds<4>(flat.values.data(), 500, 16);
  CHECK(std::set<Index>(seeds.begin(), seeds.end()).size() == 16);
}

TEST_CASE("seeds of nothing are refused") {
  const std::vector<float> x{1, 2};
  CHECK_RAISES(plus_plus_seeds<2>(x.data(), 0, 4, Random(1)), "plus_plus_seeds: there are no vectors");
  CHECK_RAISES(mahalanobis_seeds<2>(x.data(), 0, 4), "mahalanobis_seeds: there are no vectors");
  CHECK_RAISES(plus_plus_seeds<2>(x.data(), 1, 4, 1, [](int) { return 0.5; }),
               "first is 1, expected one of the 1 vectors");
}
