// Agreement with golden/log2.safetensors, the search for the scale: the same percentile (scale within 2e-6), or an
// error within 1e-5 of the stored one's; stored errors are float32 means, good to 1e-4.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: log-sqrt2 scales of RepQ-ViT's percentiles", "[golden]") {
  const Golden g("log2");
  for (const GoldenCase& c : g.cases("repq_logsqrt2.b*.x0")) {
    CAPTURE(c.name);
    const auto x = g.matrix(c.name);
    with_bits(c.number(), [&](auto bits) {
      // The published quantizer masks zero, a code more than its bits hold. At 8 bits that is no scalar quantizer, but
      // the masked values are those below scale * 2^-127.75: as levels their squared errors are below 1e-76.
      using Q = LogSqrt2<bits(), bits() < 8 ? ZeroPolicy::mask : ZeroPolicy::clamp>;
      const auto choice = percentile_mse<Q>(x.view()).at(0);
      const Q stored{g.scalar<float>(c.prefix + "scale")};
      CHECK(choice.mse == Approx(g.scalar<float>(c.prefix + "mse")).epsilon(1e-4));
      if (choice.index == g.scalar<std::int32_t>(c.prefix + "pct_index")) {
        CHECK(std::fabs(choice.quantizer.scale - stored.scale) <= 2e-6f * stored.scale);
      } else {
        const std::span<const float> values(x.values);
        CHECK(choice.mse <= squared_error(stored, values) / static_cast<double>(values.size()) * (1 + 1e-5));
      }
    });
  }
  g.require_consumed("repq_logsqrt2.*.x0");
  g.require_consumed("repq_logsqrt2.*.mse");
  g.require_consumed("repq_logsqrt2.*.pct_index");
}
