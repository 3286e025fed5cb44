#include "halfstep/calibrators/range/candidate_ranges.hpp"

#include <cstddef>
#include <vector>

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("shrunk ranges start at min-max") {
  const Range range{-1, 3, 0.5f};
  const auto candidates = shrunk_candidates<Uniform<4>>(range, 4);
  REQUIRE(candidates.size() == 4);
  CHECK(candidates[0] == Uniform<4>::fit(range));
  CHECK(candidates[3] == Uniform<4>::fit({-0.25f, 0.75f, 0.125f}));
  CHECK(shrunk_candidates<Uniform<4>>(range, 2, ptq4vit_fit<4>)[1] == ptq4vit_fit<4>({-0.5f, 1.5f, 0}));
  CHECK(shrunk_candidates<AdaLog<4>>(range)[0] == AdaLog<4>::fit(range));
  CHECK_RAISES(shrunk_candidates<Uniform<4>>(range, 0), "steps is 0, expected at least 1");
}

TEST_CASE("scaled candidates keep everything but their scale") {
  const auto candidates = scaled_candidates(TwinGelu<6>{2, 0.25f});
  REQUIRE(candidates.size() == 100);
  CHECK(candidates[0].scale == 2 * 0.01f);
  CHECK(candidates[99].scale == Approx(2 * (0.01 + 99 * 0.0119)));
  CHECK(candidates[50].negative_scale == 0.25f);
  const auto few = scaled_candidates(Uniform<4>{1, 5}, {.least = 0.5, .most = 1.5, .steps = 2});
  CHECK(few == std::vector<Uniform<4>>{{0.5f, 5}, {1, 5}});
  CHECK_RAISES(scaled_candidates(Uniform<4>{}, {.steps = 0}), "steps is 0, expected at least 1");
  CHECK_RAISES(scaled_candidates(Uniform<4>{}, {.least = 0}), "factors go from 0 to 1.2, expected positive ends");
}
