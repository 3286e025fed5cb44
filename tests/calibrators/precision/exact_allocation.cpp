#include "halfstep/calibrators/precision/exact_allocation.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "calibrators/precision/random_layers.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the exact allocation is the best of all, and never above the others") {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    const std::vector<LayerOptions> layers = random_options(7, 4, seed);
    const std::int64_t least = least_cost(layers), most = most_cost(layers);
    for (std::int64_t budget = least; budget <= most; budget += 1 + (most - least) / 9) {
      const Allocation exact = allocate_exact(layers, budget);
      CHECK(exact.cost <= budget);
      CHECK(exact.loss == brute_force(layers, budget));  // both add in the order of the layers
      CHECK(exact == allocation_of(layers, exact.choices));
      CHECK(exact.loss <= allocate_greedy(layers, budget).loss);
      CHECK(exact.loss <= allocate_lagrangian(layers, budget).allocation.loss);
    }
  }
}

TEST_CASE("the exact allocation of losses that grow with cost, of equal ones, of one layer") {
  const std::vector<LayerOptions> odd = {{{1, 2, 3}, {1, 5, 2}}, {{1, 2, 3}, {3, 3, 3}}};
  CHECK(allocate_exact(odd, 6).choices == std::vector<int>{0, 0});
  const std::vector<LayerOptions> one = {{{10, 20}, {-1, -2}}};
  CHECK(allocate_exact(one, 19).choices == std::vector<int>{0});
  CHECK(allocate_exact(one, 20).loss == -2.0);
}

TEST_CASE("the exact allocation copes with sizes of real models") {
  // 48 layers of four sizes, 6 options, costs in bits; losses fall by 4 for each bit.
  std::vector<LayerOptions> layers;
  const std::vector<int> bits = {2, 3, 4, 5, 6, 8};
  for (std::uint32_t l = 0; l < 48; ++l) {
    const Index sizes[4][2] = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}};
    LayerOptions& layer = layers.emplace_back();
    layer.losses = relevance_losses(1 + (l * 37 % 48) / 7.0, bits);
    for (const int b : bits) layer.costs.push_back(weight_bits(sizes[l % 4][0], sizes[l % 4][1], b));
  }
  const std::int64_t budget = 4 * (most_cost(layers) / 8);
  const Allocation exact = allocate_exact(layers, budget);
  const LagrangianAllocation priced = allocate_lagrangian(layers, budget);
  CHECK(exact.cost <= budget);
  CHECK(exact.loss <= priced.allocation.loss);
  CHECK(exact.loss >= priced.bound * (1 - 1e-9));
  CHECK(exact.loss <= allocate_greedy(layers, budget).loss);
}

TEST_CASE("an exact allocation that is stopped is the better of the quick ones") {
  const std::vector<LayerOptions> layers = random_options(7, 4, 3);
  const std::int64_t budget = (least_cost(layers) + most_cost(layers)) / 2;
  Index last = 0;
  const auto stop = [&](const Progress& p) {
    CHECK(p.total == 7);
    last = p.done;
    return p.done < 3;
  };
  const Allocation stopped = allocate_exact(layers, budget, {.progress = stop});
  CHECK(last == 3);
  CHECK_FALSE(stopped.is_complete);
  CHECK(stopped.loss ==
        std::min(allocate_greedy(layers, budget).loss, allocate_lagrangian(layers, budget).allocation.loss));
}

TEST_CASE("costs in larger units still fit the budget") {
  const std::vector<LayerOptions> layers = random_options(6, 4, 4);
  const std::int64_t budget = (least_cost(layers) + most_cost(layers)) * 2 / 3;
  const Allocation coarse = allocate_exact(in_units(layers, 3), budget / 3);
  CHECK(allocation_of(layers, coarse.choices).cost <= budget);
  CHECK(in_units(layers, 1)[0].costs == layers[0].costs);
  const std::vector<LayerOptions> close = {{{4, 5, 6}, {3, 2, 1}}};
  CHECK(in_units(close, 4)[0].costs == std::vector<std::int64_t>{1, 2, 3});
  CHECK_RAISES(in_units(layers, 0), "in_units: unit is 0, expected at least 1");
}

TEST_CASE("the exact allocation says what is wrong") {
  const std::vector<LayerOptions> layers = random_options(7, 4, 5);
  CHECK_RAISES(allocate_exact(layers, least_cost(layers) - 1), "allocate_exact: budget is");
  CHECK_RAISES(allocate_exact(layers, 1000000, {.largest_states = 0}), "largest_states is 0, expected at least 1");
  const std::int64_t budget = (least_cost(layers) + most_cost(layers)) / 2;
  CHECK_RAISES(allocate_exact(layers, budget, {.largest_states = 2}),
               "expected at most 2: give the costs in larger units");
}
