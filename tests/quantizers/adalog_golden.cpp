// Agreement with golden/adalog.safetensors, as far as the quantizer goes: codes and tables exact, values 2e-6 of
// themselves, and 1e-7 where a shift is subtracted.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/quantizers/adalog.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: adalog after softmax", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("softmax.b*.q*.x")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.name);
    with_bits(c.number(), [&](auto bits) {
      const AdaLog<bits(), ZeroPolicy::mask, LogFloor::published> q{1, 0, c.number(1)};
      check_codes(q, x, g.values<std::int32_t>(c.prefix + "codes"));
      check_values(q, x, g.values<float>(c.prefix + "dequant"), {2e-6, 0});
      const auto halvings = g.values<std::int32_t>(c.prefix + "T1"),
                 mantissas = g.values<std::int32_t>(c.prefix + "T2");
      CHECK(halvings.size() == std::size_t{1} << bits());
      CHECK(mismatches(halvings, [&](std::size_t i) { return q.halvings(static_cast<std::int32_t>(i)); }) == 0);
      CHECK(mismatches(mantissas, [&](std::size_t i) { return q.mantissa(static_cast<std::int32_t>(i)); }) == 0);
    });
  }
}

TEST_CASE("golden: adalog after GELU", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("gelu.b*.q*.x")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.name);
    const auto codes = g.values<std::int32_t>(c.prefix + "codes");
    with_bits(c.number(), [&](auto bits) {
      const AdaLog<bits(), ZeroPolicy::mask, LogFloor::published> q{g.scalar<float>(c.prefix + "scale"), gelu_shift,
                                                                    c.number(1)};
      check_codes(q, x, codes);
      check_values(q, x, g.values<float>(c.prefix + "dequant"), {2e-6, 1e-7});
      // Where the following layer's bias takes over the subtraction, the shift of the values is 0.
      auto reparameterized = q;
      reparameterized.shift = 0;
      CHECK(mismatches(g.values<float>(c.prefix + "dequant_reparam"),
                       [&](std::size_t i) { return reparameterized.decode(codes[i]); }, {2e-6, 0}) == 0);
    });
  }
}

TEST_CASE("golden: adalog is consumed", "[golden]") {
  Golden("adalog").require_all_consumed_at_end({
      {"intmm.*", "a product by tables and shifts: kernels/reference_shift_product.cpp"},
      {"fpcs_linear.*", "a search for scales and zero points, which is a calibrator's"},
      {"fpcs_gelu.*", "a search for scale and base, which is a calibrator's"},
      {"fpcs_softmax.*", "a search for the base, which is a calibrator's"},
  });
}
