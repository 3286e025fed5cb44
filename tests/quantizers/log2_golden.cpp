// Agreement with golden/log2.safetensors: codes exact, values 2e-6 of themselves (subnormal ones exactly).

#include <cstdint>
#include <vector>

#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

constexpr Tolerance value_tolerance{2e-6, 0};

/// Codes and values of a case against `q`.
template <class Q>
void check_case(const Golden& g, const std::string& prefix, const std::vector<float>& x, const Q& q) {
  check_codes(q, x, g.values<std::int32_t>(prefix + "codes"));
  check_values(q, x, g.values<float>(prefix + "dequant"), value_tolerance);
}

}  // namespace

TEST_CASE("golden: log2 without scale, in its three zero policies", "[golden]") {
  const Golden g("log2");
  for (const GoldenCase& c : g.cases("log2.b*.x")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.name);
    with_bits(c.number(), [&](auto bits) {
      check_case(g, c.prefix, x, Log2<bits(), ZeroPolicy::mask>{});
      check_values(Log2<bits(), ZeroPolicy::clamp>{}, x, g.values<float>(c.prefix + "dequant_clamp"), value_tolerance);
      check_values(Log2<bits()>{}, x, g.values<float>(c.prefix + "dequant_reserve"), value_tolerance);
    });
  }
}

TEST_CASE("golden: log2 with a scale", "[golden]") {
  const Golden g("log2");
  for (const GoldenCase& c : g.cases("log2s.b*.x")) {
    CAPTURE(c.name);
    with_bits(c.number(), [&](auto bits) {
      check_case(g, c.prefix, g.values<float>(c.name),
                 Log2<bits(), ZeroPolicy::mask, LogFloor::published>{g.scalar<float>(c.prefix + "scale")});
    });
  }
}

TEST_CASE("golden: log2 of zero, subnormal, negative and large values", "[golden]") {
  const Golden g("log2");
  const std::vector<float> x = g.values<float>("deg.x");
  for (const GoldenCase& c : g.cases("deg.fqlog2.b*.codes")) {
    CAPTURE(c.name);
    with_bits(c.number(), [&](auto bits) { check_case(g, c.prefix, x, Log2<bits(), ZeroPolicy::mask>{}); });
  }
  for (const GoldenCase& c : g.cases("deg.log2.b*.codes")) {
    CAPTURE(c.name);
    with_bits(c.number(),
              [&](auto bits) { check_case(g, c.prefix, x, Log2<bits(), ZeroPolicy::mask, LogFloor::published>{}); });
  }
  const std::vector<float> negative = g.values<float>("deg.neg.x");
  const Log2<4, ZeroPolicy::mask, LogFloor::published> q;
  check_codes(q, negative, g.values<std::int32_t>("deg.neg.codes_b4"));
  check_values(q, negative, g.values<float>("deg.neg.adalog_repo_dequant_b4"), value_tolerance);
}

TEST_CASE("golden: log-sqrt2", "[golden]") {
  const Golden g("log2");
  for (const GoldenCase& c : g.cases("logsqrt2s.b*.x")) {
    CAPTURE(c.name);
    with_bits(c.number(), [&](auto bits) {
      check_case(g, c.prefix, g.values<float>(c.name),
                 LogSqrt2<bits(), ZeroPolicy::mask, LogFloor::published>{g.scalar<float>(c.prefix + "scale")});
    });
  }
  for (const GoldenCase& c : g.cases("repq_logsqrt2.b*.x")) {
    CAPTURE(c.name);
    with_bits(c.number(), [&](auto bits) {
      check_case(g, c.prefix, g.values<float>(c.name),
                 LogSqrt2<bits(), ZeroPolicy::mask>{g.scalar<float>(c.prefix + "scale")});
    });
  }
}

TEST_CASE("golden: log2 is consumed", "[golden]") {
  Golden("log2").require_all_consumed_at_end({
      {"repq_logsqrt2.*.x0", "calibration data of the search for the scale, which is a calibrator's"},
      {"repq_logsqrt2.*.mse", "result of that search"},
      {"repq_logsqrt2.*.pct_index", "result of that search"},
      {"shiftmm.*", "a product by shifts: kernels/reference_shift_product.cpp"},
  });
}
