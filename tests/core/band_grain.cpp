#include "halfstep/core/band_grain.hpp"

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a grain is at least one item and about 32768 elements", "[band_grain]") {
  STATIC_REQUIRE(hs::band_grain(0) == 32768);
  STATIC_REQUIRE(hs::band_grain(1) == 32768);
  STATIC_REQUIRE(hs::band_grain(768) == 42);
  STATIC_REQUIRE(hs::band_grain(32768) == 1);
  STATIC_REQUIRE(hs::band_grain(hs::Index{1} << 40) == 1);
}
