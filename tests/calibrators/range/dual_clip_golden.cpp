// Agreement with the dual clipping of golden/repq.safetensors: mean squared errors within 1e-5 of the stored ones, and
// where the same pair of factors won, the scale within 2e-6 and the zero point exactly.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/dual_clip.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: repq dual clipping", "[golden]") {
  const Golden g("repq");
  for (const GoldenCase& c : g.cases("dualclip.*.mse")) {
    CAPTURE(c.name);
    const std::string layer = "ln." + c.parts.at(0) + ".";
    const LoadedMatrix<float> x = g.matrix(layer + "x");
    const auto mse = g.values<double>(c.name);
    const auto upper = g.values<float>(c.prefix + "gu"), lower = g.values<float>(c.prefix + "gl");
    const auto scale = g.values<float>(c.prefix + "delta");
    const auto zero_point = g.values<std::int32_t>(c.prefix + "zp");
    REQUIRE(static_cast<Index>(mse.size()) == x.cols);
    with_bits(g.scalar<std::int32_t>(layer + "bits"), [&](auto bits) {
      const auto choices = dual_clip<Uniform<bits()>>(x.view());
      REQUIRE(choices.size() == mse.size());
      std::size_t same = 0;
      for (std::size_t i = 0; i < mse.size(); ++i) {
        CAPTURE(i);
        const auto& found = choices[i];
        CHECK(found.mse <= mse[i] * (1 + 1e-5));
        CHECK(found.mse >= mse[i] * (1 - 1e-5));
        if (std::fabs(found.upper - upper[i]) > 1e-5f || std::fabs(found.lower - lower[i]) > 1e-5f) continue;
        ++same;
        CHECK(std::fabs(found.quantizer.scale - scale[i]) <= 2e-6f * scale[i]);
        CHECK(found.quantizer.zero_point == zero_point[i]);
      }
      CHECK(same > 0);
    });
  }
  g.require_consumed("dualclip.*");
}
