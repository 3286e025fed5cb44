// Agreement with golden/clipped_softmax.safetensors, as far as kernels go: clipped softmax and gates within 1e-6, codes
// equal but where 1e-6 in the probability crosses a rounding boundary.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/kernels/head_gate.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: clipped softmax and its 8-bit codes", "[golden]") {
  const Golden g("clipped_softmax");
  for (const GoldenCase& c : g.cases("*.*.par")) {
    CAPTURE(c.name);
    const std::vector<double> par = g.values<double>(c.name);
    LoadedMatrix<float> p = g.matrix(c.parts.at(0) + ".x");
    clipped_softmax(MatrixView<float>(p.values.data(), p.rows, p.cols),
                    {static_cast<float>(par.at(0)), static_cast<float>(par.at(1))});
    const std::vector<float> y = g.values<float>(c.prefix + "y");
    CHECK(mismatches(y, [&](std::size_t i) { return p.values.at(i); }, {.absolute = 1e-6}) == 0);
    const float largest = *std::max_element(p.values.begin(), p.values.end());
    const auto q = Uniform<8>::fit({*std::min_element(p.values.begin(), p.values.end()), largest, 0});
    CHECK(static_cast<double>(q.scale) ==
          Approx(static_cast<double>(g.scalar<float>(c.prefix + "u8_scale"))).epsilon(1e-5));
    const auto codes = g.values<std::int32_t>(c.prefix + "u8");
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const float low = y[i] - 1e-6f, high = y[i] + 1e-6f;
      const std::int32_t code = q.encode(p.values[i]);
      CHECK((code == codes[i] || (q.encode(low) != q.encode(high) && std::abs(code - codes[i]) == 1)));
    }
  }
}

TEST_CASE("golden: gates of attention heads", "[golden]") {
  const Golden g("clipped_softmax");
  for (const GoldenCase& c : g.cases("gate*.gate")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> x = g.matrix(c.prefix + "x"), weight = g.matrix(c.prefix + "Wg");
    const MatrixF gates =
        head_gates(MatrixView<const float>(x.values.data(), x.rows, x.cols),
                   {weight.values.data(), weight.rows, weight.cols}, g.values<float>(c.prefix + "bg"));
    const std::vector<float> expected = g.values<float>(c.name);
    REQUIRE(expected.size() == static_cast<std::size_t>(gates.size()));
    CHECK(mismatches(expected, [&](std::size_t i) { return gates.data()[i]; }, {.absolute = 1e-6}) == 0);
  }
}

TEST_CASE("golden: clipped softmax is consumed", "[golden]") {
  Golden("clipped_softmax")
      .require_all_consumed_at_end(
          {{"oft*", "tested in calibrators/range"}, {"kurt.*", "tested in calibrators/range"}});
}
