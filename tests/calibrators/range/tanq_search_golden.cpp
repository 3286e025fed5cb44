// Agreement with golden/tanq.safetensors, the search: an error within 1e-5 of the stored one, from the same grid.

#include <cstddef>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/tanq_search.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: tanq searches alpha and scale", "[golden]") {
  const Golden g("tanq");
  for (const GoldenCase& c : g.cases("tanq.b*.c*.x0")) {
    CAPTURE(c.name);
    const auto x = g.matrix(c.name);
    TanqGrid grid{.centers = {g.scalar<float>(c.prefix + "center")}};
    if (grid.centers[0] == 0)
      grid.alphas = {0.25f, 0.5f, 0.75f, 1.0f, 1.25f, 1.5f};  // what the tangent's domain leaves
    with_bits(c.number(), [&](auto bits) {
      const auto best = tanq_search<bits()>(x.view(), {.grid = grid}).choices.at(0);
      const TanQ<bits()> stored{g.scalar<float>(c.prefix + "scale"), g.scalar<float>(c.prefix + "alpha"),
                                grid.centers[0]};
      const double expected = g.scalar<double>(c.prefix + "mse");
      CAPTURE(best.quantizer.alpha, stored.alpha, best.quantizer.scale, stored.scale);
      CHECK(best.loss <= expected * (1 + 1e-5));
      CHECK(best.loss == Approx(expected).epsilon(1e-5));
      double of_stored = 0;
      ValueLoss<TanQ<bits()>>(x.view())({&stored, 1}, {&of_stored, 1});
      CHECK(of_stored == Approx(expected).epsilon(1e-5));
    });
  }
  g.require_consumed("tanq.*.x0");
  g.require_consumed("tanq.*.mse");
}
