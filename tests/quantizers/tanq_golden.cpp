// Agreement with golden/tanq.safetensors, as far as the quantizer goes: codes exact, levels and values 1e-5 of
// themselves.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/quantizers/tanq.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: tanq codes, values and levels", "[golden]") {
  const Golden g("tanq");
  for (const GoldenCase& c : g.cases("tanq.b*.c*.x")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.name);
    with_bits(c.number(), [&](auto bits) {
      const TanQ<bits()> q{g.scalar<float>(c.prefix + "scale"), g.scalar<float>(c.prefix + "alpha"),
                           g.scalar<float>(c.prefix + "center")};
      check_codes(q, x, g.values<std::int32_t>(c.prefix + "codes"));
      check_values(q, x, g.values<float>(c.prefix + "dequant"), {1e-5, 0});
      const auto levels = g.values<float>(c.prefix + "levels");
      CHECK(levels.size() == std::size_t{1} << bits());
      CHECK(mismatches(levels, [&](std::size_t i) { return q.decode(static_cast<std::int32_t>(i)); }, {1e-5, 0}) == 0);
    });
  }
}

TEST_CASE("golden: tanq is consumed", "[golden]") {
  Golden("tanq").require_all_consumed_at_end({
      {"tanq.*.x0", "calibration data of the search for alpha and scale, which is a calibrator's"},
      {"tanq.*.mse", "result of that search"},
  });
}
