// Agreement with golden/ternary.safetensors, as far as the quantizer goes: codes, packed codes and integer products
// exact, real numbers 1e-5 of themselves.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/core/bit_packing.hpp"
#include "halfstep/quantizers/ternary.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

float mean_magnitude(const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) sum += std::fabs(static_cast<double>(x));
  return static_cast<float>(sum / static_cast<double>(values.size()));
}

/// Checks codes that are stored with their sign.
void check_signed(const Ternary& q, const std::vector<float>& w, const std::vector<std::int32_t>& expected) {
  REQUIRE(w.size() == expected.size());
  CHECK(mismatches(expected, [&](std::size_t i) { return q.encode(w[i]) - 1; }) == 0);
}

}  // namespace

TEST_CASE("golden: ternary codes of both rules", "[golden]") {
  const Golden g("ternary");
  for (const GoldenCase& c : g.cases("*.W")) {
    CAPTURE(c.name);
    const std::vector<float> w = g.values<float>(c.name);
    const auto scale = g.scalar<float>(c.prefix + "g");
    const Ternary fitted = Ternary::fit({0, 0, mean_magnitude(w)});
    CHECK(static_cast<double>(fitted.scale) == Approx(static_cast<double>(scale)).epsilon(1e-5));
    check_signed({scale, scale / 2}, w, g.values<std::int32_t>(c.prefix + "t"));
    if (!g.contains(c.prefix + "twn")) continue;
    const std::vector<float> twn = g.values<float>(c.prefix + "twn");
    const Ternary found = Ternary::twn(w);
    CHECK(static_cast<double>(found.scale) == Approx(static_cast<double>(twn.at(0))).epsilon(1e-5));
    CHECK(static_cast<double>(found.threshold) == Approx(static_cast<double>(twn.at(1))).epsilon(1e-5));
    check_signed({twn[0], twn[1]}, w, g.values<std::int32_t>(c.prefix + "twn_t"));
  }
}

TEST_CASE("golden: ternary codes in two bits", "[golden]") {
  const Golden g("ternary");
  for (const GoldenCase& c : g.cases("*.pack2")) {
    CAPTURE(c.name);
    const auto scale = g.scalar<float>(c.prefix + "g");
    std::vector<std::uint8_t> codes;
    for (const float x : g.values<float>(c.prefix + "W")) {
      codes.push_back(static_cast<std::uint8_t>(Ternary{scale, scale / 2}.encode(x)));
    }
    while (codes.size() % 4 != 0) codes.push_back(1);  // the file ends with zeros of the weight
    std::vector<std::uint8_t> packed(codes.size() / 4);
    pack_bits(codes, 2, packed);
    CHECK(packed == g.values<std::uint8_t>(c.name));
  }
}

TEST_CASE("golden: ternary products from the lowered plane", "[golden]") {
  const Golden g("ternary");
  for (const GoldenCase& c : g.cases("*.acc")) {
    CAPTURE(c.name);
    const auto scale = g.scalar<float>(c.prefix + "g");
    const Ternary q{scale, scale / 2};
    const Lowering lowering = lower(q);
    const LoadedMatrix<float> w = g.matrix(c.prefix + "W");
    const auto x = g.values<std::int32_t>(c.prefix + "xq");
    const std::vector<float> token_scale = g.values<float>(c.prefix + "xs");
    const auto out = static_cast<std::size_t>(w.rows), in = static_cast<std::size_t>(w.cols);
    const auto sum = [&](std::size_t at) {
      int total = 0;
      for (std::size_t k = 0; k < in; ++k) {
        const auto code = static_cast<std::size_t>(q.encode(w.values[at % out * in + k]));
        total += x[at / out * in + k] * (lowering.planes[0].values[code] - static_cast<int>(lowering.zero));
      }
      return total;
    };
    CHECK(mismatches(g.values<std::int32_t>(c.name), sum) == 0);
    const auto y = [&](std::size_t at) { return static_cast<float>(sum(at)) / token_scale[at / out] * lowering.unit; };
    CHECK(mismatches(g.values<float>(c.prefix + "y"), y, {1e-5, 0}) == 0);
  }
}

TEST_CASE("golden: ternary is consumed", "[golden]") {
  Golden("ternary").require_all_consumed({
      {"*.x", "activations before their int8 rounding, which is a kernel's"},
      {"zero.xs", "scale of activations, which is a kernel's"},
      {"*.pack3", "five codes to a byte, which is a packing and not a quantizer"},
  });
}
