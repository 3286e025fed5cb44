#include "halfstep/quantizers/power_of_two_factor.hpp"

#include <cstdint>

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("a power-of-two factor is a uniform quantizer of a shifted scale", "[power_of_two_factor]") {
  for (const std::int32_t shift : {0, 1, 3, 7}) {
    const PowerOfTwoFactor<6> q{0.37f, 21, shift};
    const Uniform<6> plain{0.37f * static_cast<float>(1 << shift), 21};
    CHECK(q.step() == plain.scale);
    for (int i = -3000; i <= 3000; ++i) {
      const float x = static_cast<float>(i) * 0.05f;
      REQUIRE(q.encode(x) == plain.encode(x));
      REQUIRE(q.decode(q.encode(x)) == plain.decode(plain.encode(x)));
    }
    CHECK(lower(q).unit == plain.scale);
    CHECK(lower(q).zero == 21);
    CHECK(lower(q).max_error == 0);
  }
}

TEST_CASE("a fitted power-of-two factor covers the tensor with its largest shift", "[power_of_two_factor]") {
  const auto q = PowerOfTwoFactor<8>::fit({-1, 3, 0});
  const auto plain = Uniform<8>::fit({-1, 3, 0});
  CHECK(q.shift == 3);
  CHECK(q.scale == plain.scale / 8);
  CHECK(q.uniform() == plain);
}
