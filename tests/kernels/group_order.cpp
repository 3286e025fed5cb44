#include "halfstep/kernels/group_order.hpp"

#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("rectangles stay as they are", "[group_order]") {
  const hs::GroupOrder order = hs::group_order(hs::per_group(32), 100);
  CHECK(order.group == 32);
  CHECK(order.order.empty());
  CHECK(order.column(17) == 17);
  CHECK(hs::group_order(hs::per_row(), 100).group == 0);
}

TEST_CASE("columns of a group are brought together in their order", "[group_order]") {
  const hs::GroupOrder order = hs::group_order(hs::per_column_map({1, 0, 2, 0, 1, 0, 1}), 7);
  CHECK(order.group == 3);
  CHECK(order.order == std::vector<std::int32_t>{1, 3, 5, 0, 4, 6, 2});
  CHECK(order.column(3) == 0);
  // A map that deals groups in order needs no other order.
  CHECK(hs::group_order(hs::per_column_map({0, 0, 1, 1, 2}), 5).order.empty());
  CHECK(hs::group_order(hs::per_column_map({0, 0, 1, 1, 2}), 5).group == 2);
}

TEST_CASE("groups of different sizes cannot lie side by side", "[group_order]") {
  CHECK_RAISES(
      hs::group_order(hs::per_column_map({0, 0, 1, 2, 2}), 5),
      "halfstep: pack: column map has groups of different sizes: group 1 does not have the 2 columns of group 0");
  CHECK_RAISES(hs::group_order(hs::per_column_map({0, 1, 1}), 3), "groups of different sizes");
  // Too large a group is named itself, although the columns after it are what stands in the wrong place.
  CHECK_RAISES(hs::group_order(hs::per_column_map({0, 0, 1, 1, 1}), 5), "group 1 does not have the 2 columns");
}
