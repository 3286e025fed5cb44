// Agreement with golden/twin.safetensors, as far as the quantizers go: codes exact, values 1e-6 of themselves.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

constexpr Tolerance twin_tolerance{1e-6, 0};

template <int Bits>
void check_gelu(const Golden& g, const GoldenCase& c) {
  const std::vector<float> x = g.values<float>(c.name);
  const TwinGelu<Bits> q{g.scalar<float>(c.prefix + "s_pos"), g.scalar<float>(c.prefix + "s_neg")};
  check_codes(q, x, g.values<int>(c.prefix + "packed"));
  const auto positive = g.values<std::int32_t>(c.prefix + "pos"), negative = g.values<std::int32_t>(c.prefix + "neg");
  const std::vector<float> values = g.values<float>(c.prefix + "dequant");
  int wrong = 0, narrowed = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::int32_t code = q.encode(x[i]);
    const std::int32_t above = code >= q.half ? code - q.half : 0, below = code < q.half ? -code : 0;
    wrong += above == positive[i] && below == std::max(negative[i], 1 - q.half) ? 0 : 1;
    if (negative[i] == -q.half) {  // does not fit beside the region bit
      ++narrowed;
      continue;
    }
    const auto value = static_cast<double>(values[i]);
    wrong += std::fabs(static_cast<double>(q.decode(code)) - value) <= 1e-6 * std::fabs(value) ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(narrowed < static_cast<int>(x.size()));
}

template <int Bits>
void check_softmax(const Golden& g, const GoldenCase& c) {
  const std::vector<float> x = g.values<float>(c.name);
  const TwinSoftmax<Bits> q{1, c.number(1)};
  const auto flag = g.values<std::int32_t>(c.prefix + "flag"), payload = g.values<std::int32_t>(c.prefix + "payload");
  CHECK(mismatches(flag, [&](std::size_t i) { return q.encode(x[i]) / q.half; }) == 0);
  CHECK(mismatches(payload, [&](std::size_t i) { return q.encode(x[i]) % q.half; }) == 0);
  check_values(q, x, g.values<float>(c.prefix + "dequant"), twin_tolerance);
  // The published form is the sum of two uniform quantizers, of which the upper one sees nothing below the split.
  const Uniform<Bits - 1> low{q.fine_scale(), 0}, high{q.coarse_scale(), 0};
  const auto upper = [&](std::size_t i) { return high.encode(std::clamp(x[i], q.split(), 1.0f)); };
  CHECK(mismatches(g.values<std::int32_t>(c.prefix + "pub_low"), [&](std::size_t i) { return low.encode(x[i]); }) == 0);
  CHECK(mismatches(g.values<std::int32_t>(c.prefix + "pub_high"), upper) == 0);
  const auto sum = [&](std::size_t i) { return low.decode(low.encode(x[i])) + high.decode(upper(i)); };
  CHECK(mismatches(g.values<float>(c.prefix + "pub_dequant"), sum, twin_tolerance) == 0);
}

}  // namespace

TEST_CASE("golden: twin after GELU", "[golden]") {
  const Golden g("twin");
  for (const GoldenCase& c : g.cases("gelu.b*.x")) {
    CAPTURE(c.name);
    with_bits(c.number(), [&](auto bits) {
      if constexpr (bits() >= 4) return check_gelu<bits()>(g, c);
      FAIL("no twin of fewer than 4 bits here");
    });
  }
}

TEST_CASE("golden: twin after softmax", "[golden]") {
  const Golden g("twin");
  for (const GoldenCase& c : g.cases("softmax.b*.k*.x")) {
    CAPTURE(c.name);
    with_bits(c.number(), [&](auto bits) {
      if constexpr (bits() >= 4) return check_softmax<bits()>(g, c);
      FAIL("no twin of fewer than 4 bits here");
    });
  }
}

TEST_CASE("golden: twin is consumed", "[golden]") {
  Golden("twin").require_all_consumed_at_end({
      {"gelu_search.*", "a search for steps by output error, which is a calibrator's"},
      {"softmax_search.*", "a search for the split by output error, which is a calibrator's"},
  });
}
