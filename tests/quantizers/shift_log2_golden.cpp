// Agreement with golden/sulq.safetensors, as far as the quantizer goes: with the stored eta, lo and hi, codes and
// exponents exact, values 1e-5 of themselves.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/quantizers/shift_log2.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
void check_shift_case(const Golden& g, const std::string& prefix, const std::vector<float>& x, const Q& q) {
  check_codes(q, x, g.values<std::int32_t>(prefix + "codes"));
  // Values cancel to about 2^-24 of eta, which is at most 1.
  check_values(q, x, g.values<float>(prefix + "dequant"), {1e-5, 6e-8});
  const auto exponents = g.values<std::int32_t>(prefix + "exponents");
  CHECK(exponents.size() == static_cast<std::size_t>(Q::last_code) + 1);
  CHECK(mismatches(exponents, [&](std::size_t i) { return q.exponent(static_cast<std::int32_t>(i)); }) == 0);
}

}  // namespace

TEST_CASE("golden: sulq with steps that fit, and with the published ones", "[golden]") {
  const Golden g("sulq");
  for (const GoldenCase& c : g.cases("sulq.b*.x")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.name);
    const float eta = g.scalar<float>(c.prefix + "eta");
    const float low = g.scalar<float>(c.prefix + "lo"), high = g.scalar<float>(c.prefix + "hi");
    with_bits(c.number(), [&](auto bits) {
      check_shift_case(g, c.prefix, x, ShiftLog2<bits()>{eta, low, high});
      check_shift_case(g, c.prefix + "pub_", x, ShiftLog2<bits(), LogSteps::published>{eta, low, high});
    });
    // lo and hi are the logarithms of the ends of the calibration data.
    const std::vector<float> data = g.values<float>(c.prefix + "x0");
    const auto [least, most] = std::minmax_element(data.begin(), data.end());
    CHECK(static_cast<double>(simd::log2(*least + eta)) == Approx(static_cast<double>(low)).margin(1e-5));
    CHECK(static_cast<double>(simd::log2(*most + eta)) == Approx(static_cast<double>(high)).margin(1e-5));
  }
}

TEST_CASE("golden: sulq is consumed", "[golden]") {
  Golden("sulq").require_all_consumed_at_end(
      {{"sulq.*.losses", "errors of the search for eta, which is a calibrator's"}});
}
