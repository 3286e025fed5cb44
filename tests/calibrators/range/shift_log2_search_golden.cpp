// Agreement with golden/sulq.safetensors, the search: the same eta, its ends within 1e-5, the errors of all etas within
// 1e-4 of the stored ones.

#include <cstddef>
#include <vector>

#include "halfstep/calibrators/range/shift_log2_search.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: sulq searches eta", "[golden]") {
  const Golden g("sulq");
  for (const GoldenCase& c : g.cases("sulq.b*.x0")) {
    CAPTURE(c.name);
    const auto x = g.matrix(c.name);
    const std::vector<float> etas = ShiftLog2SearchOptions().etas;
    with_bits(c.number(), [&](auto bits) {
      const auto best = shift_log2_search<bits()>(x.view()).choices.at(0);
      CHECK(best.quantizer.eta == g.scalar<float>(c.prefix + "eta"));
      CHECK(static_cast<double>(best.quantizer.low) == Approx(g.scalar<float>(c.prefix + "lo")).epsilon(1e-5));
      CHECK(static_cast<double>(best.quantizer.high) ==
            Approx(g.scalar<float>(c.prefix + "hi")).epsilon(1e-5).margin(1e-6));
      const auto losses = g.values<double>(c.prefix + "losses");
      REQUIRE(losses.size() == etas.size());
      for (std::size_t i = 0; i < etas.size(); ++i) {
        const auto only = shift_log2_search<bits()>(x.view(), {.etas = {etas[i]}}).choices.at(0);
        CHECK(only.loss == Approx(losses[i]).epsilon(1e-4));
      }
    });
  }
  g.require_consumed("sulq.*.x0");
  g.require_consumed("sulq.*.losses");
}
