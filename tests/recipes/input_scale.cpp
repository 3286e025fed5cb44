#include "halfstep/recipes/input_scale.hpp"

#include <variant>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("uniform_input gives the rule that a scale stands for", "[input_scale]") {
  const hs::Range range{-1.0f, 3.0f, 0};
  const auto rule = [&](int bits, hs::InputScale scale) {
    return std::get<hs::Activation>(hs::uniform_input(bits, scale, range));
  };
  const hs::Activation tensor = rule(6, hs::InputScale::tensor), token = rule(5, hs::InputScale::token);
  CHECK(!tensor.is_dynamic());
  CHECK(tensor.bits() == 6);
  CHECK(tensor.static_scale().unit == hs::Uniform<6>::fit(range).scale);
  CHECK(token.is_dynamic());
  CHECK(token.bits() == 5);
  CHECK(rule(1, hs::InputScale::none).keeps_floats());
  CHECK_RAISES(rule(1, hs::InputScale::token), "bits is 1, expected 2 to 8");
  CHECK_RAISES(rule(9, hs::InputScale::tensor), "bits is 9, expected 2 to 8");
}
