#include "halfstep/quantizers/absmax.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using namespace halfstep;

static_assert(ScalarQuantizer<Absmax<2>> && ScalarQuantizer<Absmax<8>>);

TEST_CASE("absmax codes are rounded products with the reciprocal step", "[absmax]") {
  for (const float largest : {1.0f, 0.37f, 5.99f, 1.1e-5f, 1e30f}) {
    const auto q = Absmax<8>::fit({-largest, largest / 3, 0});
    CHECK(q.absmax == largest);
    for (int i = -3000; i <= 3000; ++i) {
      const float x = static_cast<float>(i) / 3000 * largest;
      const volatile float reciprocal = 127 / largest, y = x * reciprocal;
      REQUIRE(q.encode(x) == static_cast<int>(std::nearbyint(y)) + 128);
    }
    CHECK(q.encode(largest) == 255);
    CHECK(q.encode(-largest) == 1);
    CHECK(q.encode(0.0f) == 128);
    for (int code = 0; code < 256; ++code) {
      REQUIRE(q.decode(code) == static_cast<float>(code - 128) * (largest / 127));
      REQUIRE(q.encode(q.decode(code)) == code);
    }
  }
}

TEST_CASE("absmax differs from a division where the reciprocal rounds across a tie", "[absmax]") {
  // x / (absmax / 127) and x * (127 / absmax) for x near half a step: some pair of codes must differ.
  int differences = 0;
  for (int i = 1; i < 4000; ++i) {
    const float largest = 1 + static_cast<float>(i) / 4000, x = largest / 127 * 2.5f;
    const volatile float step = largest / 127, quotient = x / step;
    differences += Absmax<8>{largest}.encode(x) != static_cast<int>(std::nearbyint(quotient)) + 128 ? 1 : 0;
  }
  CHECK(differences > 0);
}

TEST_CASE("special values and degenerate ranges of absmax", "[absmax]") {
  constexpr float largest = std::numeric_limits<float>::max(), infinity = std::numeric_limits<float>::infinity();
  CHECK(Absmax<8>::fit({0, 0, 0}) == Absmax<8>{1});
  for (const float end : {1e-45f, 1e-38f, 1.0f, largest}) {
    const auto q = Absmax<4>::fit({-end, end, end});
    CAPTURE(end, q.absmax);
    CHECK(q.encode(std::numeric_limits<float>::quiet_NaN()) == 8);
    CHECK(q.encode(infinity) == 15);
    CHECK(q.encode(-infinity) == 0);
    CHECK(q.encode(0.0f) == 8);
    for (int code = 0; code < 16; ++code) {
      CHECK(std::isfinite(q.decode(code)));
      CHECK(q.encode(q.decode(code)) == code);
    }
  }
}

TEST_CASE("the plane of absmax is its codes", "[absmax]") {
  const Absmax<8> q{3.7f};
  CHECK(lower(q).max_error == 0);
  for (int code = 0; code < 256; ++code) CHECK(static_cast<float>(lower(q).value(code)) == q.decode(code));
  CHECK(lowering_scale(q).unit == lower(q).unit);
  CHECK(lowering_scale(q).zero == lower(q).zero);
}
