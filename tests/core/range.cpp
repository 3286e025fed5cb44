#include "halfstep/core/range.hpp"

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("absmax is the larger of the ends' sizes", "[range]") {
  STATIC_REQUIRE(hs::absmax({-3, 2, 0}) == 3);
  STATIC_REQUIRE(hs::absmax({-1, 2, 0}) == 2);
  STATIC_REQUIRE(hs::absmax({1, 2, 0}) == 2);
  STATIC_REQUIRE(hs::absmax({-4, -2, 0}) == 4);
  STATIC_REQUIRE(hs::absmax({}) == 0);
}
