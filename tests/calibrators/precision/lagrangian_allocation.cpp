#include "halfstep/calibrators/precision/lagrangian_allocation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "calibrators/precision/random_layers.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the convex options of a layer are those that some price makes best") {
  for (const std::uint32_t seed : {1u, 2u, 3u, 4u}) {
    for (const LayerOptions& layer : random_options(8, 6, seed)) {
      const std::vector<int> hull = convex_options(layer);
      CHECK(hull.front() == 0);
      std::vector<bool> is_best(layer.costs.size());
      for (int step = 0; step <= 20000; ++step) {
        const double price = step == 0 ? 0 : 1e-7 * std::pow(1.001, step);
        std::size_t best = 0;
        for (std::size_t o = 1; o < layer.costs.size(); ++o) {
          const auto priced = [&](std::size_t i) {
            return layer.losses[i] + price * static_cast<double>(layer.costs[i]);
          };
          if (priced(o) < priced(best)) best = o;
        }
        is_best[best] = true;
      }
      for (std::size_t o = 0; o < is_best.size(); ++o) {
        if (is_best[o]) CHECK(std::find(hull.begin(), hull.end(), static_cast<int>(o)) != hull.end());
      }
      for (std::size_t i = 1; i < hull.size(); ++i) {
        CHECK(layer.losses[static_cast<std::size_t>(hull[i])] < layer.losses[static_cast<std::size_t>(hull[i - 1])]);
      }
    }
  }
}

TEST_CASE("the Lagrangian allocation fits, and its bound is below the optimum") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const std::vector<LayerOptions> layers = random_options(6, 4, seed);
    for (const int share : {0, 20, 50, 80, 100}) {
      const std::int64_t least = least_cost(layers), most = most_cost(layers);
      const std::int64_t budget = least + (most - least) * share / 100;
      const LagrangianAllocation found = allocate_lagrangian(layers, budget);
      const double optimum = brute_force(layers, budget);
      CHECK(found.allocation.cost <= budget);
      CHECK(found.allocation.loss >= optimum);
      CHECK(found.bound <= optimum * (1 + 1e-12));
      if (share == 100) CHECK(found.allocation.loss == Approx(optimum).epsilon(1e-12));
    }
  }
}

TEST_CASE("the Lagrangian allocation refuses an infeasible budget") {
  const std::vector<LayerOptions> layers = {{{4, 8}, {2, 1}}, {{2, 4}, {7, 1}}};
  CHECK_RAISES(allocate_lagrangian(layers, 5), "allocate_lagrangian: budget is 5, the least that the layers cost is 6");
}
