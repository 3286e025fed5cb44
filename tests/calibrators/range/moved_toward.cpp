#include "halfstep/calibrators/range/moved_toward.hpp"

#include <cmath>
#include <limits>
#include <random>

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("a step rounds the distance, the product and the sum, one after the other") {
  const std::uint32_t seed = 4;
  CAPTURE(seed);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  int fused_differs = 0;
  for (int i = 0; i < 2000; ++i) {
    const float from = normal(generator), to = normal(generator), weight = 0.01f;
    const volatile float distance = to - from;  // volatile: the compiler can fuse nothing
    const volatile float step = weight * distance;
    const volatile float expected = from + step;
    CHECK(moved_toward(from, to, weight) == expected);
    fused_differs += std::fma(weight, distance, from) != expected;
  }
  CHECK(fused_differs > 0);  // the sample can tell
}

TEST_CASE("a step of weight 0 or 1 arrives, and distances beyond the largest float are crossed") {
  constexpr float largest = std::numeric_limits<float>::max();
  CHECK(moved_toward(3.0f, 8.0f, 0.0f) == 3.0f);
  CHECK(moved_toward(3.0f, 8.0f, 1.0f) == 8.0f);
  CHECK(moved_toward(-largest, largest, 0.0f) == -largest);
  CHECK(moved_toward(-largest, largest, 0.5f) == 0.0f);
  CHECK(moved_toward(-largest, largest, 1.0f) == largest);
  CHECK(moved_toward(largest, -largest, 0.25f) == largest / 2);
}
