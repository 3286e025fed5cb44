// Agreement with golden/binary.safetensors: signs, packed words, integer products and codes exact, real numbers 1e-5 of
// themselves.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/core/bit_packing.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double mean(const std::vector<float>& values, bool of_magnitudes) {
  double sum = 0;
  for (const float x : values) sum += of_magnitudes ? std::fabs(static_cast<double>(x)) : static_cast<double>(x);
  return sum / static_cast<double>(values.size());
}

Range range_of(const std::vector<float>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {*least, *most, static_cast<float>(mean(values, true))};
}

Approx near(float expected) { return Approx(static_cast<double>(expected)).epsilon(1e-5); }

/// Checks signs: an exact tie, stored as 0, is positive in one bit.
void check_signs(const Binary& q, const std::vector<float>& x, const std::vector<std::int32_t>& signs) {
  REQUIRE(x.size() == signs.size());
  const auto at_least = [](std::int32_t sign) { return sign < 0 ? -1 : 1; };
  int wrong = 0;
  for (std::size_t i = 0; i < x.size(); ++i) wrong += 1 - 2 * q.encode(x[i]) == at_least(signs[i]) ? 0 : 1;
  CHECK(wrong == 0);
}

/// The codes of `cols` values a row as rows of whole 64-bit words.
std::vector<std::uint8_t> packed_words(const Binary& q, const std::vector<float>& x, std::size_t cols) {
  std::vector<std::uint8_t> all;
  for (std::size_t row = 0; row < x.size() / cols; ++row) {
    std::vector<std::uint8_t> codes((cols + 63) / 64 * 64), packed(codes.size() / 8);
    for (std::size_t c = 0; c < cols; ++c) codes[c] = static_cast<std::uint8_t>(q.encode(x[row * cols + c]));
    pack_bits(codes, 1, packed);
    all.insert(all.end(), packed.begin(), packed.end());
  }
  return all;
}

/// x + move, a move for each column.
std::vector<float> moved(std::vector<float> x, const std::vector<float>& move) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += move[i % move.size()];
  return x;
}

template <class Q>
void check_elastic(const Golden& g, const std::string& prefix, const std::vector<float>& x, const Q& q, int signed_by) {
  const auto expected = g.values<std::int32_t>(prefix + "codes");
  REQUIRE(x.size() == expected.size());
  CHECK(mismatches(expected, [&](std::size_t i) { return q.encode(x[i]) - signed_by; }) == 0);
  const std::vector<float> values = g.values<float>(prefix + "deq");
  check_values(q, x, values, {0, 1e-5 * static_cast<double>(absmax(range_of(values)))});
}

}  // namespace

TEST_CASE("golden: binary weights, activations, their packed forms and their product", "[golden]") {
  const Golden g("binary");
  for (const GoldenCase& c : g.cases("*.xw_dot")) {
    CAPTURE(c.name);
    const LoadedMatrix<float> w = g.matrix(c.prefix + "W");
    const auto out = static_cast<std::size_t>(w.rows), in = static_cast<std::size_t>(w.cols);
    const Binary weight{Binary::fit(range_of(w.values)).scale, static_cast<float>(mean(w.values, false))};
    CHECK(static_cast<double>(weight.scale) == near(g.scalar<float>(c.prefix + "w_tensor.scale")));
    check_signs(weight, w.values, g.values<std::int32_t>(c.prefix + "w_sign"));
    const std::vector<float> row_scales = g.values<float>(c.prefix + "w_row.scale");
    for (std::size_t row = 0; row < out; ++row) {
      const auto first = w.values.begin() + static_cast<std::ptrdiff_t>(row * in);
      const std::vector<float> values(first, first + static_cast<std::ptrdiff_t>(in));
      CHECK(static_cast<double>(Binary::fit(range_of(values)).scale) == near(row_scales.at(row)));
    }
    const std::vector<float> x = moved(g.values<float>(c.prefix + "x"), g.values<float>(c.prefix + "move"));
    const float alpha = g.scalar<float>(c.prefix + "x_alpha");
    CHECK(2 * mean(x, true) == near(alpha));  // the published initial step
    const Binary activation{alpha, 0};
    check_signs(activation, x, g.values<std::int32_t>(c.prefix + "x_sign"));
    CHECK(packed_words(weight, w.values, in) == g.values<std::uint8_t>(c.prefix + "packed_w"));
    CHECK(packed_words(activation, x, in) == g.values<std::uint8_t>(c.prefix + "packed_x"));

    const BytePlane plane = lower(Binary{}).planes[0];
    const auto dot = [&](std::size_t at) {
      int sum = 0;
      for (std::size_t k = 0; k < in; ++k) {
        const auto a = static_cast<std::size_t>(activation.encode(x[at / out * in + k]));
        const auto b = static_cast<std::size_t>(weight.encode(w.values[at % out * in + k]));
        sum += plane.values[a] * plane.values[b];
      }
      return sum;
    };
    CHECK(mismatches(g.values<std::int32_t>(c.name), dot) == 0);
    const std::vector<float> bias = g.values<float>(c.prefix + "bias"), y = g.values<float>(c.prefix + "y_linear");
    const double largest = static_cast<double>(absmax(range_of(y)));
    const auto linear = [&](std::size_t at) {
      return static_cast<double>(dot(at)) * static_cast<double>(alpha) * static_cast<double>(weight.scale) +
             static_cast<double>(bias[at % out]);
    };
    CHECK(mismatches(y, linear, {0, 1e-5 * largest}) == 0);
  }
  const std::vector<float> zeros = g.values<float>("zero.W");
  CHECK(g.scalar<float>("zero.scale") == mean(zeros, true));
  check_signs(Binary::fit(range_of(zeros)), zeros, g.values<std::int32_t>("zero.sign"));
}

TEST_CASE("golden: binary probabilities and elastic steps", "[golden]") {
  const Golden g("binary");
  for (const GoldenCase& c : g.cases("*.P")) {
    CAPTURE(c.name);
    const std::vector<float> p = g.values<float>(c.name);
    const Elastic<1> q{g.scalar<float>(c.prefix + "P_alpha"), 0};
    CHECK(static_cast<double>(Elastic<1>::fit(range_of(p)).scale) == near(q.scale));
    check_codes(q, p, g.values<std::int32_t>(c.prefix + "P_codes"));

    const std::vector<float> x = g.values<float>(c.prefix + "x");
    const Range range = range_of(x);
    const auto alpha = [&](const char* of) { return g.scalar<float>(c.prefix + of + ".alpha"); };
    check_elastic(g, c.prefix + "el2s.", x, Uniform<2>{alpha("el2s"), 2}, 2);
    check_elastic(g, c.prefix + "el4s.", x, Uniform<4>{alpha("el4s"), 8}, 8);
    check_elastic(g, c.prefix + "el2u.", x, Elastic<2>{alpha("el2u"), range.min}, 0);
    check_elastic(g, c.prefix + "el4u.", x, Elastic<4>{alpha("el4u"), range.min}, 0);
    CHECK(static_cast<double>(Elastic<2>::fit(range).scale) == near(alpha("el2u")));
    CHECK(static_cast<double>(Elastic<4>::fit(range).scale) == near(alpha("el4u")));
    for (const int bits : {2, 4}) {  // signed: 2 mean |x| / sqrt(2^(b-1) - 1)
      const double step = 2 * static_cast<double>(range.mean_abs) / std::sqrt((1 << (bits - 1)) - 1.0);
      CHECK(step == near(alpha(bits == 2 ? "el2s" : "el4s")));
    }
  }
}

TEST_CASE("golden: binary attention scores with their residual terms", "[golden]") {
  const Golden g("binary");
  for (const GoldenCase& c : g.cases("*.att.scores")) {
    CAPTURE(c.name);
    const std::vector<float> alpha = g.values<float>(c.prefix + "alpha");
    const auto q = g.values<std::int32_t>(c.prefix + "q"), k = g.values<std::int32_t>(c.prefix + "k");
    const auto thin = [&](const char* of) { return g.values<float>(c.prefix + of); };
    const std::vector<float> low_q = thin("low_q"), low_k = thin("low_k"), res_q = thin("res_q"), res_k = thin("res_k");
    const std::size_t tokens = low_q.size(), dim = 16;
    const Binary left{alpha.at(0), 0}, right{alpha.at(1), 0};
    const auto score = [&](std::size_t at) {
      const std::size_t head = at / (tokens * tokens), i = at / tokens % tokens, j = at % tokens;
      double sum = static_cast<double>(low_q[i]) * static_cast<double>(res_k[j]) +
                   static_cast<double>(res_q[i]) * static_cast<double>(low_k[j]) +
                   static_cast<double>(res_q[i]) * static_cast<double>(res_k[j]);
      for (std::size_t d = 0; d < dim; ++d) {
        const std::int32_t a = left.encode(static_cast<float>(q[(head * tokens + i) * dim + d]));
        const std::int32_t b = right.encode(static_cast<float>(k[(head * tokens + j) * dim + d]));
        sum += static_cast<double>(left.decode(a)) * static_cast<double>(right.decode(b));
      }
      return sum / 4;  // the square root of 16
    };
    const std::vector<float> expected = g.values<float>(c.name);
    CHECK(mismatches(expected, score, {0, 1e-5 * static_cast<double>(absmax(range_of(expected)))}) == 0);
  }
}

TEST_CASE("golden: binary is consumed", "[golden]") { Golden("binary").require_all_consumed_at_end(); }
