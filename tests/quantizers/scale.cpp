#include "halfstep/quantizers/scale.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/special_values.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {
constexpr float smallest = std::numeric_limits<float>::min();
}  // namespace

TEST_CASE("a scale can be divided by", "[scale]") {
  STATIC_REQUIRE(hs::usable_scale(0.25f) == 0.25f);
  STATIC_REQUIRE(hs::usable_scale(0.0f) == 1.0f);
  STATIC_REQUIRE(hs::usable_scale(-0.0f) == 1.0f);
  STATIC_REQUIRE(hs::usable_scale(0x1p-140f) == smallest);
  CHECK(hs::usable_scale(std::numeric_limits<float>::quiet_NaN()) == 1.0f);
}

TEST_CASE("a span is divided without overflow", "[scale]") {
  STATIC_REQUIRE(hs::divided_span(-1, 3, 8) == 0.5f);
  CHECK(hs::divided_span(-largest_float, largest_float, 4) == largest_float / 2);
  CHECK(std::isfinite(hs::divided_span(-largest_float, largest_float, 3)));
}

TEST_CASE("steps stay finite", "[scale]") {
  STATIC_REQUIRE(hs::finite_scale(0.25f, 255) == 0.25f);
  for (float steps = 2; steps <= 256; ++steps) {
    const float scale = hs::finite_scale(largest_float / 1.5f, steps);
    CHECK(std::isfinite(scale * steps));
    CHECK(scale * steps > largest_float * 0.999f);
  }
}
