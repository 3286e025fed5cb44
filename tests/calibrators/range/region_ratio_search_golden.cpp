// Agreement with the searches of OPT-m in golden/sqb.safetensors: the ratio exactly, losses within 1e-5 of themselves
// (float32 differences), fine steps and decoded values within 1e-5, codes exactly but where a value lies within 1e-5
// max(1, |steps|) of a tie. The file's code 0 of the negative region is zero, which TwinGelu has as code 2^(b-1).

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/region_ratio_search.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Bits>
void check_search(const Golden& g, const GoldenCase& c, const std::vector<float>& x) {
  using Q = TwinGelu<Bits>;
  const auto best = g.values<double>(c.name);  // loss, m, factor, fine step
  const auto found = region_ratio_search<Bits>(MatrixView<const float>(x.data(), 1, static_cast<Index>(x.size())));
  CHECK(found.shift == static_cast<std::int32_t>(best.at(1)));
  CHECK(found.error == Approx(best.at(0)).epsilon(1e-5));
  CHECK(found.factor == Approx(best.at(2)).epsilon(1e-6));
  CHECK(static_cast<double>(found.quantizer.negative_scale) == Approx(best.at(3)).epsilon(1e-5));
  CHECK(found.quantizer.scale == std::ldexp(found.quantizer.negative_scale, found.shift));
  if (!g.contains(c.prefix + "codes")) return;
  const auto codes = g.values<std::int32_t>(c.prefix + "codes"), fine = g.values<std::int32_t>(c.prefix + "int");
  const auto values = g.values<float>(c.prefix + "deq");
  REQUIRE(codes.size() == x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i, x[i]);
    const double step = static_cast<double>(x[i] < 0 ? found.quantizer.negative_scale : found.quantizer.scale);
    const double steps = std::fabs(static_cast<double>(x[i])) / step;
    if (std::fabs(steps - std::floor(steps) - 0.5) <= 1e-5 * std::max(1.0, steps)) continue;
    const std::int32_t code = found.quantizer.encode(x[i]);
    CHECK(code == (codes[i] == 0 ? Q::half : codes[i]));
    const float value = found.quantizer.decode(code);
    CHECK(std::fabs(value - values[i]) <= 1e-5f * std::fabs(values[i]));
    const std::int32_t magnitude = code % Q::half;
    CHECK(fine[i] == (code >= Q::half ? magnitude << found.shift : -magnitude));
  }
}

}  // namespace

TEST_CASE("golden: OPT-m's ratio of steps", "[golden]") {
  const Golden g("sqb");
  for (const GoldenCase& c : g.cases("*.*.best")) {
    CAPTURE(c.name);
    const std::vector<float> x = g.values<float>(c.parts.at(0) + ".x");
    with_value<3, 4, 5, 6, 7, 8>(c.number(1), [&](auto bits) { check_search<bits()>(g, c, x); });
  }
  g.require_consumed("optm*");
}
