#include "halfstep/calibrators/rounding/column_order.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("column_order: descending, equal ones in their order") {
  CHECK(plain_order(3) == std::vector<Index>{0, 1, 2});
  CHECK(plain_order(0).empty());
  const std::vector<double> diagonal{1, 3, 2, 3, 0, 2};
  CHECK(descending_order(diagonal) == std::vector<Index>{1, 3, 2, 5, 0, 4});
}

TEST_CASE("column_order: groups by their maximum, sorted within, the tail as it is") {
  const std::vector<double> diagonal{1, 2, 5, 4, 5, 0, 9, 8};
  CHECK(group_aware_order(diagonal, 2) == std::vector<Index>{6, 7, 2, 3, 4, 5, 1, 0});
  CHECK(group_aware_order(diagonal, 3) == std::vector<Index>{2, 1, 0, 4, 3, 5, 6, 7});
  CHECK(group_aware_order(diagonal, 20) == plain_order(8));
  CHECK(group_aware_order(diagonal, 1) == descending_order(diagonal));
  CHECK_RAISES(group_aware_order(diagonal, 0), "group_size is 0, expected at least 1");
}
