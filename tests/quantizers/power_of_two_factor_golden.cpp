// Agreement with golden/ptf.safetensors, as far as the quantizer goes: with the stored alpha, codes exact, scales and
// values 2e-6 of themselves.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/quantizers/power_of_two_factor.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: ptf codes and values of each channel", "[golden]") {
  const Golden g("ptf");
  for (const GoldenCase& c : g.cases("ptf.*.xq_in")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.name), data = g.values<float>(c.prefix + "x");
    const auto codes = g.values<std::int32_t>(c.prefix + "codes"), alpha = g.values<std::int32_t>(c.prefix + "alpha");
    const std::vector<float> values = g.values<float>(c.prefix + "dequant"),
                             scale = g.values<float>(c.prefix + "scale");
    const auto zero_point = g.scalar<std::int32_t>(c.prefix + "zp");
    const auto [least, most] = std::minmax_element(data.begin(), data.end());
    REQUIRE(x.size() == codes.size());
    with_bits(g.scalar<std::int32_t>(c.prefix + "bits"), [&](auto bits) {
      // The published scale of the tensor, from its own minimum and maximum, of which channels have an eighth and more.
      const float common = std::max((*most - *least) / static_cast<float>((1 << bits()) - 1), 0x1p-23f) / 8;
      const auto channel = [&](std::size_t i) {
        return PowerOfTwoFactor<bits()>{common, zero_point, alpha[i % alpha.size()]};
      };
      CHECK(mismatches(scale, [&](std::size_t i) { return channel(i).step(); }, {2e-6, 0}) == 0);
      CHECK(mismatches(codes, [&](std::size_t i) { return channel(i).encode(x[i]); }) == 0);
      CHECK(mismatches(values, [&](std::size_t i) { return channel(i).decode(codes[i]); }, {2e-6, 0}) == 0);
    });
  }
}

TEST_CASE("golden: ptf is consumed", "[golden]") {
  Golden("ptf").require_all_consumed_at_end(
      {{"ptf.*.losses", "errors of the search for alpha, which is a calibrator's"}});
}
