// Agreement with golden/ternary.safetensors: codes of weights and activations, packed codes and integer products exact,
// real numbers 1e-5 of themselves.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/trit_packing.hpp"
#include "halfstep/quantizers/absmax.hpp"
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

/// The codes of weight `prefix` W, row by row.
std::vector<std::uint8_t> codes_of(const Golden& g, const std::string& prefix) {
  const auto scale = g.scalar<float>(prefix + "g");
  std::vector<std::uint8_t> codes;
  for (const float x : g.values<float>(prefix + "W")) {
    codes.push_back(static_cast<std::uint8_t>(Ternary{scale, scale / 2}.encode(x)));
  }
  return codes;
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

TEST_CASE("golden: ternary codes in two bits and five to a byte", "[golden]") {
  const Golden g("ternary");
  for (const GoldenCase& c : g.cases("*.pack2")) {
    CAPTURE(c.name);
    std::vector<std::uint8_t> codes = codes_of(g, c.prefix);
    const auto fives = g.values<std::uint8_t>(c.prefix + "pack3");
    std::vector<std::uint8_t> packed(static_cast<std::size_t>(packed_trit_bytes(static_cast<Index>(codes.size()))));
    pack_trits(codes, packed);
    CHECK(packed == fives);
    std::vector<std::uint8_t> unpacked(codes.size());
    unpack_trits(fives, unpacked);
    CHECK(unpacked == codes);
    while (codes.size() % 4 != 0) codes.push_back(1);  // the file ends with zeros of the weight
    packed.assign(codes.size() / 4, 0);
    pack_bits(codes, 2, packed);
    CHECK(packed == g.values<std::uint8_t>(c.name));
  }
}

TEST_CASE("golden: activations of ternary weights are Absmax<8>, token by token", "[golden]") {
  const Golden g("ternary");
  for (const GoldenCase& c : g.cases("*.x")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> x = g.matrix(c.name);
    const std::vector<float> token_scale = g.values<float>(c.prefix + "xs");
    const auto codes = g.values<std::int32_t>(c.prefix + "xq");
    const auto in = static_cast<std::size_t>(x.cols);
    REQUIRE(token_scale.size() * in == codes.size());
    for (std::size_t token = 0; token < token_scale.size(); ++token) {
      CAPTURE(token);
      const std::span<const float> row = std::span(x.values).subspan(token * in, in);
      const auto [low, high] = std::minmax_element(row.begin(), row.end());
      const auto q = Absmax<8>::fit({*low, *high, 0});
      CHECK(static_cast<double>(Absmax<8>::steps / q.absmax) ==
            Approx(static_cast<double>(token_scale[token])).epsilon(1e-5));
      const std::vector<std::int32_t> expected(codes.begin() + static_cast<std::ptrdiff_t>(token * in),
                                               codes.begin() + static_cast<std::ptrdiff_t>((token + 1) * in));
      CHECK(mismatches(expected, [&](std::size_t i) { return q.encode(row[i]) - Absmax<8>::zero_point; }) == 0);
    }
  }
}

TEST_CASE("golden: a token of zeros has the published floor or the library's 1, and codes of zero by both",
          "[golden]") {
  // The published program clamps max |x| at 1e-5; the library's ranges have 1 for a row without a magnitude.
  const auto ours = Absmax<8>::fit({0, 0, 0});
  const Absmax<8> published{1e-5f};
  CHECK(ours.absmax == 1.0f);
  for (const float scale : Golden("ternary").values<float>("zero.xs")) {
    CHECK(static_cast<double>(Absmax<8>::steps / published.absmax) == Approx(static_cast<double>(scale)).epsilon(1e-5));
  }
  for (const Absmax<8>& q : {ours, published}) {
    CHECK(q.encode(0.0f) == Absmax<8>::zero_point);
    CHECK(q.decode(q.encode(0.0f)) == 0.0f);
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

TEST_CASE("golden: ternary is consumed", "[golden]") { Golden("ternary").require_all_consumed_at_end(); }
