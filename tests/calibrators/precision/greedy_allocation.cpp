#include "halfstep/calibrators/precision/greedy_allocation.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "calibrators/precision/random_layers.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the greedy allocation lowers what loses least for its cost") {
  // Lowering layer 0 costs 1 for 4 units, layer 1 costs 1 for 2, then 6 for 2.
  const std::vector<LayerOptions> layers = {{{4, 8}, {2, 1}}, {{2, 4, 6}, {7, 1, 0}}};
  CHECK(allocate_greedy(layers, 14).choices == std::vector<int>{1, 2});
  CHECK(allocate_greedy(layers, 13).choices == std::vector<int>{0, 2});
  CHECK(allocate_greedy(layers, 9).choices == std::vector<int>{0, 1});
  CHECK(allocate_greedy(layers, 6).choices == std::vector<int>{0, 0});
  CHECK(allocate_greedy(layers, 9).loss == 3.0);
  CHECK_RAISES(allocate_greedy(layers, 5), "allocate_greedy: budget is 5, the least that the layers cost is 6");
  // Equal ratios: the first layer.
  const std::vector<LayerOptions> equal = {{{1, 2}, {1, 0}}, {{1, 2}, {1, 0}}};
  CHECK(allocate_greedy(equal, 3).choices == std::vector<int>{0, 1});
}

TEST_CASE("the measured allocation is the greedy one where losses add up") {
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    const std::vector<LayerOptions> layers = random_options(6, 4, seed);
    std::vector<std::vector<std::int64_t>> costs;
    for (const LayerOptions& layer : layers) costs.push_back(layer.costs);
    const auto measure = [&](std::span<const int> choices) {
      return allocation_of(layers, {choices.begin(), choices.end()}).loss;
    };
    const std::int64_t budget = (least_cost(layers) + most_cost(layers)) / 2;
    Index last = 0, most = 0;
    const auto progress = [&](const Progress& p) {
      CHECK(p.done == last + 1);
      last = p.done;
      most = p.total;
      return true;
    };
    const Allocation found = allocate_measured(costs, budget, measure, {.progress = progress});
    CHECK(found.choices == allocate_greedy(layers, budget).choices);
    CHECK(found.cost <= budget);
    CHECK(found.is_complete);
    CHECK(last > 1);
    CHECK(last <= most);
  }
}

TEST_CASE("the measured allocation sees what layers do together") {
  // Either layer may be lowered for nothing, both for 10; the third for 1.
  const std::vector<std::vector<std::int64_t>> costs(3, {1, 2});
  const auto measure = [](std::span<const int> c) {
    return (c[0] == 0 && c[1] == 0 ? 10.0 : 0.0) + (c[2] == 0 ? 1.0 : 0.0);
  };
  const Allocation found = allocate_measured(costs, 4, measure);
  CHECK(found.choices == std::vector<int>{0, 1, 0});
  CHECK(found.loss == 1.0);
  CHECK(found.cost == 4);
}

TEST_CASE("a measured allocation that is stopped takes no step that it did not finish") {
  const std::vector<std::vector<std::int64_t>> costs(3, {1, 2});
  const auto measure = [](std::span<const int> c) { return static_cast<double>(3 - c[0] - c[1] - c[2]); };
  const auto after = [&](Index last) {
    const auto progress = [&](const Progress& p) { return p.done < last; };
    return allocate_measured(costs, 3, measure, {.progress = progress});
  };
  CHECK(after(1).choices == std::vector<int>{1, 1, 1});
  CHECK(after(3).choices == std::vector<int>{1, 1, 1});
  CHECK_FALSE(after(3).is_complete);
  CHECK(after(5).choices == std::vector<int>{0, 1, 1});
  CHECK(after(5).cost == 5);
  CHECK(after(100).choices == std::vector<int>{0, 0, 0});
}

TEST_CASE("the measured allocation says what is wrong before it measures") {
  int calls = 0;
  const auto measure = [&](std::span<const int> c) {
    ++calls;
    return c[1] == 0 ? std::numeric_limits<double>::infinity() : 0.0;
  };
  const std::vector<std::vector<std::int64_t>> costs(2, {3, 4});
  CHECK_RAISES(allocate_measured(costs, 5, measure), "budget is 5, the least that the layers cost is 6");
  CHECK(calls == 0);
  CHECK_RAISES(allocate_measured(costs, 6, measure), "measure gives inf with layer 1 lowered");
}
