#include "halfstep/core/constant_math.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

constexpr std::array<double, 18> samples{
    0,       0.5,          1.5,           2.5,    -0.5,   -1.5,    -2.5,  0.49999999999999994, 2.4999, 2.51, -7.2,
    65534.5, 0x1p51 + 0.5, -0x1p51 + 0.5, 0x1p52, 0x1p70, -0x1p70, 1e-300};

constexpr auto rounded() {
  std::array<double, samples.size()> integers{};
  for (std::size_t i = 0; i < samples.size(); ++i) integers[i] = hs::nearest_integer(samples[i]);
  return integers;
}

}  // namespace

TEST_CASE("integers are the same at compile time and at run time", "[constant_math]") {
  constexpr auto at_compile_time = rounded();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    CAPTURE(samples[i]);
    const volatile double x = samples[i];
    CHECK(at_compile_time[i] == std::nearbyint(x));
    CHECK(hs::nearest_integer(x) == std::nearbyint(x));
    CHECK(hs::magnitude(x) == std::fabs(x));
  }
}

TEST_CASE("the next larger float is that of nextafter", "[constant_math]") {
  constexpr float largest = std::numeric_limits<float>::max();
  STATIC_REQUIRE(hs::next_larger(1.0f) == 1.0f + 0x1p-23f);
  for (const float x : {0.0f, 1e-45f, 0x1.fffffep-127f, 1.0f, 1.9999999f, 3e38f, largest}) {
    CHECK(hs::next_larger(x) == std::nextafter(x, largest));
  }
}
