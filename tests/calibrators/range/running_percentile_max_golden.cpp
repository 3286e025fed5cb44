// Agreement with the observers of golden/quamba.safetensors: scales of the percentile maximum within 1e-4 of
// themselves, those of the absolute maximum within 1e-5, codes exactly but for ties: less than 0.5 percent of them,
// by 1.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/range/running_percentile_max.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: quamba percentile maximum and absolute maximum", "[golden]") {
  const Golden g("quamba");
  for (const GoldenCase& c : g.cases("*.p")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> x = g.matrix(c.prefix + "x");
    const Index batches = g.shape(c.prefix + "x").at(0), rows = x.rows / batches;
    RunningPercentileMax percentile({.p = static_cast<double>(g.scalar<float>(c.name))});
    MinMax largest;
    for (Index b = 0; b < batches; ++b) {
      percentile.observe(x.view().row_range(b * rows, rows));
      largest.observe(x.view().row_range(b * rows, rows));
    }
    const auto scale = static_cast<double>(g.scalar<float>(c.prefix + "scale"));
    const Uniform<8> q = quamba_fit<8>(percentile.range());
    CHECK(static_cast<double>(q.scale) == Approx(scale).epsilon(1e-4));
    CHECK(static_cast<double>(quamba_fit<8>(largest.range()).scale) ==
          Approx(static_cast<double>(g.scalar<float>(c.prefix + "minmax_scale"))).epsilon(1e-5));
    const Uniform<8> stored{static_cast<float>(scale), 128};
    const auto codes = g.values<std::int32_t>(c.prefix + "codes_last");
    const MatrixView<const float> last = x.view().row_range((batches - 1) * rows, rows);
    REQUIRE(static_cast<Index>(codes.size()) == last.size());
    std::size_t ties = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const std::int32_t code = stored.encode(last.data[i]) - 128;
      CHECK(std::abs(code - codes[i]) <= 1);
      ties += code != codes[i];
    }
    CHECK(ties * 200 < codes.size());
  }
  g.require_consumed("p*.*");
}
