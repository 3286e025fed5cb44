// Agreement with the search of golden/ptf.safetensors: shifts equal unless two errors agree within 1e-6 of themselves,
// scales within 2e-6, zero points exactly, errors within 1e-4 of themselves plus 1e-18 (its index).

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/calibrators/range/power_of_two_factors.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Bits>
void check_factors(const Golden& g, const GoldenCase& c) {
  const LoadedMatrix<float> x = g.matrix(c.prefix + "x");
  const auto shift = g.values<std::int32_t>(c.prefix + "alpha");
  const auto scale = g.values<float>(c.prefix + "scale");
  const auto zero_point = g.scalar<std::int32_t>(c.prefix + "zp");
  const LoadedMatrix<double> losses = g.matrix<double>(c.prefix + "losses");
  const auto found = power_of_two_factors<Bits>(x.view());
  REQUIRE(found.quantizers.size() == shift.size());
  for (std::size_t i = 0; i < shift.size(); ++i) {
    CAPTURE(i);
    REQUIRE(found.mse[i].size() == static_cast<std::size_t>(losses.rows));
    const auto loss = [&](std::int32_t s) { return losses.view()(s, static_cast<Index>(i)); };
    for (std::int32_t s = 0; s < losses.rows; ++s) {
      CHECK(std::fabs(found.mse[i][static_cast<std::size_t>(s)] - loss(s)) <= 1e-4 * loss(s) + 1e-18);
    }
    const PowerOfTwoFactor<Bits>& q = found.quantizers[i];
    CHECK(q.zero_point == zero_point);
    const double best = loss(shift[i]);
    if (q.shift != shift[i]) {
      CHECK(std::fabs(loss(q.shift) - best) <= 1e-6 * best);
      continue;
    }
    CHECK(std::fabs(q.step() - scale[i]) <= 2e-6f * scale[i]);
  }
}

}  // namespace

TEST_CASE("golden: ptf search of shifts", "[golden]") {
  const Golden g("ptf");
  for (const GoldenCase& c : g.cases("ptf.*.bits")) {
    CAPTURE(c.name);
    with_bits(g.scalar<std::int32_t>(c.name), [&](auto bits) { check_factors<bits()>(g, c); });
  }
  g.require_consumed("ptf.*.losses");
}
