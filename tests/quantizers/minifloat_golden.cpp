// Agreement with golden/fp4.safetensors, as far as the quantizer goes: codes exact but for single steps beside ties
// (below 0.5 percent of the elements; the published code takes a float32 logarithm), values 1e-5 of themselves.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/quantizers/minifloat.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Calls `visit(format)` with the quantizer that a name such as "e2m1" stands for.
template <class Visit>
void with_format(const std::string& name, Visit visit) {
  if (name == "e2m1") return visit(Float<2, 1>());
  if (name == "e1m2") return visit(Float<1, 2>());
  if (name == "e3m0") return visit(Float<3, 0>());
  if (name == "e2m2") return visit(Float<2, 2>());
  if (name == "e3m2") return visit(Float<3, 2>());
  if (name == "e2m3") return visit(Float<2, 3>());
  if (name == "e4m3") return visit(Float<4, 3>());
  if (name == "e5m2") return visit(Float<5, 2>());
  FAIL("no minifloat " << name);
}

}  // namespace

TEST_CASE("golden: fp4 grids", "[golden]") {
  const Golden g("fp4");
  for (const GoldenCase& c : g.cases("grid.*")) {
    CAPTURE(c.name);
    const std::vector<float> grid = g.values<float>(c.name);
    with_format(c.parts[0], [&](auto format) {
      const auto q = format.with_exponent_bias(0);
      CHECK(mismatches(grid, [&](std::size_t i) { return q.decode(static_cast<std::int32_t>(i)); }) == 0);
    });
  }
}

TEST_CASE("golden: fp4 codes and values, one bias for a tensor or for each row", "[golden]") {
  const Golden g("fp4");
  for (const GoldenCase& c : g.cases("q.*_*.bias")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> x = g.matrix("q." + c.parts[0]);
    const std::vector<float> bias = g.values<float>(c.name);
    const std::vector<int> codes = g.values<int>(c.prefix + "codes");
    const std::vector<float> values = g.values<float>(c.prefix + "deq");
    REQUIRE(codes.size() == x.values.size());
    with_format(c.parts[1], [&](auto format) {
      const auto quantizer = [&](std::size_t i) {
        const std::size_t row = i / static_cast<std::size_t>(x.cols);
        return format.with_exponent_bias(bias[bias.size() == 1 ? 0 : row]);
      };
      CHECK(mismatches(codes, [&](std::size_t i) { return quantizer(i).encode(x.values[i]); }) == 0);
      CHECK(mismatches(values, [&](std::size_t i) { return quantizer(i).decode(std::int32_t{codes[i]}); }, {1e-5, 0}) ==
            0);
      // A fit gives the bias that the largest magnitude asks for.
      Range range{0, 0, 0};
      for (std::size_t i = 0; i < x.values.size() / bias.size(); ++i) {
        range.min = std::min(range.min, x.values[i]);
        range.max = std::max(range.max, x.values[i]);
      }
      CHECK(static_cast<double>(format.fit(range).exponent_bias()) ==
            Approx(static_cast<double>(bias[0])).margin(1e-5));
    });
  }
}

TEST_CASE("golden: fp4 is consumed", "[golden]") {
  Golden("fp4").require_all_consumed_at_end({
      {"s4.*", "a search over formats and biases by output error, which is a calibrator's"},
      {"s6.*", "a search over formats and biases by output error, which is a calibrator's"},
  });
}
