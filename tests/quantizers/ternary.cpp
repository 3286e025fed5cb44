#include "halfstep/quantizers/ternary.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("ternary codes are rounded, clamped quotients where the threshold is half the scale", "[ternary]") {
  for (const float mean : {1.0f, 0.37f, 1.1e-5f, 1e30f}) {
    const Ternary q = Ternary::fit({-2 * mean, 2 * mean, mean});
    CHECK(q == Ternary{mean, mean / 2});
    for (int i = -5000; i <= 5000; ++i) {
      const float x = static_cast<float>(i) / 2048 * mean;
      const double rounded = std::nearbyint(static_cast<double>(x / mean));
      REQUIRE(q.encode(x) == std::fmin(std::fmax(rounded, -1.0), 1.0) + 1);
      REQUIRE(q.decode(q.encode(x)) == static_cast<float>(q.encode(x) - 1) * mean);
    }
    const float half = mean / 2;  // a tie, and its neighbours
    CHECK(q.encode(half) == 1);
    CHECK(q.encode(-half) == 1);
    CHECK(q.encode(std::nextafter(half, 2 * mean)) == 2);
    CHECK(q.encode(std::nextafter(-half, -2 * mean)) == 0);
  }
}

TEST_CASE("ternary of nothing but zeros has the published floor", "[ternary]") {
  CHECK(Ternary::fit({0, 0, 0}).scale == 1e-5f);
  CHECK(Ternary::fit({0, 0, 0}).encode(0.0f) == 1);
}

TEST_CASE("ternary weight networks scale by the mean of what is above the threshold", "[ternary]") {
  const std::vector<float> values{1, -2, 3, 0, -4};  // mean 2, threshold 1.4: 2, 3 and 4 are above
  const Ternary q = Ternary::twn(values);
  CHECK(q.threshold == 1.4f);
  CHECK(q.scale == 3);
  CHECK(q.encode(1.0f) == 1);
  CHECK(q.decode(q.encode(-2.0f)) == -3);
  CHECK(Ternary::twn({}).scale == 1);
  CHECK(Ternary::twn(std::vector<float>{0, 0}).encode(0.0f) == 1);
}

TEST_CASE("special values and the spare code of ternary", "[ternary]") {
  const Ternary q{2, 1};
  CHECK(q.encode(std::numeric_limits<float>::quiet_NaN()) == 1);
  CHECK(q.encode(std::numeric_limits<float>::infinity()) == 2);
  CHECK(q.encode(-std::numeric_limits<float>::infinity()) == 0);
  CHECK(q.decode(3) == q.decode(2));
  CHECK(lower(q).value(3) == 2);
  CHECK(lower(q).max_error == 0);
}
