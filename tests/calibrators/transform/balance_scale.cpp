#include "halfstep/calibrators/transform/balance_scale.hpp"

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("a channel's range is divided between activations and weights") {
  CHECK(balance_scale(16, 4, 0.5f) == 2);
  CHECK(balance_scale(16, 4, 1) == 16);      // activations to 1
  CHECK(balance_scale(16, 4, 0) == 0.25f);   // weights to 1
  CHECK(balance_scale(16, 16, 0.75f) == 4);  // 8 / 2
  require_alpha("test", 0);
  require_alpha("test", 1);
  CHECK_RAISES(require_alpha("test", 1.5f), "test: alpha is 1.5, expected 0 to 1");
  CHECK_RAISES(require_alpha("test", -0.5f), "alpha is -0.5");
}
