#include "halfstep/calibrators/precision/allocation.hpp"

#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("costs of layers are bits, bytes or operations") {
  CHECK(weight_bits(10, 33, 3) == 990);
  CHECK(weight_bytes(10, 33, 3) == 130);  // 99 bits a row
  CHECK(bit_operations(7, 10, 33, 4, 8) == 7 * 330 * 32);
  const std::vector<int> bits = {2, 4};
  CHECK(relevance_losses(3, bits) == std::vector<double>{3.0 / 16, 3.0 / 256});
}

TEST_CASE("an allocation costs and loses what its layers do") {
  const std::vector<LayerOptions> layers = {{{1, 2}, {0.5, 0.25}}, {{3, 5, 9}, {4, 2, 1}}};
  const Allocation a = allocation_of(layers, {1, 2});
  CHECK(a.cost == 11);
  CHECK(a.loss == 1.25);
  CHECK(a.is_complete);
}

TEST_CASE("layers that no solver can use are refused, by name") {
  const auto refuse = [](const std::vector<LayerOptions>& layers, std::int64_t budget) {
    require_allocation("solve", layers, budget);
  };
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  CHECK_RAISES(refuse({}, 1), "halfstep: solve: layers is empty");
  CHECK_RAISES(refuse({{{}, {}}}, 1), "layer 0 has no options");
  CHECK_RAISES(refuse({{{1}, {1}}, {{1, 2}, {1}}}, 9), "layer 1 has 2 costs and 1 losses");
  CHECK_RAISES(refuse({{{-1}, {1}}}, 1), "layer 0, option 0 costs -1, expected at least 0");
  CHECK_RAISES(refuse({{{2, 2}, {1, 1}}}, 9),
               "layer 0, option 1 costs 2, expected more than the 2 of the option before");
  CHECK_RAISES(refuse({{{1}, {std::numeric_limits<double>::quiet_NaN()}}}, 1),
               "option 0 has a loss that is not finite");
  CHECK_RAISES(refuse({{{1, largest}, {1, 1}}, {{1}, {1}}}, 9), "layers cost more than 2^63 - 1 together");
  CHECK_RAISES(refuse({{{4}, {1}}, {{3, 9}, {1, 0}}}, 6), "solve: budget is 6, the least that the layers cost is 7");
  refuse({{{4}, {1}}, {{3, 9}, {1, 0}}}, 7);
}
