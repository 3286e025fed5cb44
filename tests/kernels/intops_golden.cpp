// Agreement with golden/intops.safetensors: the integer operators of I-ViT and FQ-ViT, for equality. The authors' own
// programs (`pub_*`) simulate 31-bit integers in float32; how far they are off is stated beside the file.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/kernels/dyadic.hpp"
#include "halfstep/kernels/factor_layer_norm.hpp"
#include "halfstep/kernels/integer_layer_norm.hpp"
#include "halfstep/kernels/log_int_softmax.hpp"
#include "halfstep/kernels/reference_integer.hpp"
#include "halfstep/kernels/shift_gelu.hpp"
#include "halfstep/kernels/shiftmax.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A tensor of integers as rows of its last axis.
template <class T>
IntegerMatrix<T> integers(const Golden& g, const std::string& name) {
  return integers_of<T>(g.values<std::int64_t>(name), g.shape(name).back());
}

template <class T>
std::string integer_difference(const IntegerMatrix<T>& found, const IntegerMatrix<std::int64_t>& expected) {
  if (found.rows != expected.rows || found.cols != expected.cols) return "the shapes differ";
  for (hs::Index r = 0; r < found.rows; ++r) {
    const std::string row = row_difference(found, r, expected.wide_row(r));
    if (!row.empty()) return row;
  }
  return {};
}

}  // namespace

TEST_CASE("golden: intops shiftmax", "[golden]") {
  const Golden g("intops");
  for (const GoldenCase& c : g.cases("shiftmax.*.xint")) {
    CAPTURE(c.name);
    const auto x = integers<std::int8_t>(g, c.name);
    const auto expected = integers<std::int64_t>(g, c.prefix + "codes");
    const auto published = integers<std::int64_t>(g, c.prefix + "pub_codes");
    IntegerMatrix<std::uint8_t> out(x.rows, x.cols);
    hs::shiftmax(x.view(), g.scalar<float>(c.prefix + "scale"), out.view());
    CHECK(integer_difference(out, expected) == "");
    for (hs::Index r = 0; r < x.rows; ++r) {  // README: a few differ, by 1
      for (hs::Index i = 0; i < x.cols; ++i) CHECK(std::abs(out(r, i) - published(r, i)) <= 1);
    }
  }
}

TEST_CASE("golden: intops shiftgelu", "[golden]") {
  const Golden g("intops");
  for (const GoldenCase& c : g.cases("shiftgelu.*.xint")) {
    CAPTURE(c.name);
    const auto x = integers<std::int8_t>(g, c.name);
    const auto scale = g.scalar<float>(c.prefix + "scale");
    const auto sigmoid = integers<std::int64_t>(g, c.prefix + "sigmoid");
    const auto published = integers<std::int64_t>(g, c.prefix + "pub_out");
    IntegerMatrix<std::int32_t> out(x.rows, x.cols);
    hs::shift_gelu(x.view(), scale, out.view());
    CHECK(integer_difference(out, integers<std::int64_t>(g, c.prefix + "out")) == "");
    CHECK(g.scalar<float>(c.prefix + "out_scale") == scale / 128);
    for (hs::Index r = 0; r < x.rows; ++r) {
      CHECK(hs::reference_shift_sigmoid(x.wide_row(r), scale, 8) == sigmoid.wide_row(r));
      for (hs::Index i = 0; i < x.cols; ++i) {  // README: the sigmoid differs by up to 14
        CHECK(std::abs(out(r, i) - published(r, i)) <= 14 * std::abs(x(r, i)));
      }
    }
  }
}

TEST_CASE("golden: intops ilayernorm", "[golden]") {
  const Golden g("intops");
  for (const GoldenCase& c : g.cases("ilayernorm.*.xint")) {
    CAPTURE(c.name);
    const auto x = integers<std::int32_t>(g, c.name);
    const auto norm = hs::IntegerNorm::of(g.values<float>(c.prefix + "gamma"), g.values<float>(c.prefix + "beta"));
    CHECK(g.scalar<float>(c.prefix + "scale") > 0);  // cancels
    const auto scale = g.values<double>(c.prefix + "out_scale");
    CHECK(mismatches(scale, [&](std::size_t i) { return norm.scale[i]; }, {1e-15, 0}) == 0);
    CHECK(norm.bias == g.values<std::int64_t>(c.prefix + "bias_int"));
    IntegerMatrix<std::int64_t> out(x.rows, x.cols);
    hs::integer_layer_norm(x.view(), norm, out.view());
    CHECK(integer_difference(out, integers<std::int64_t>(g, c.prefix + "out")) == "");
    const auto roots = g.values<std::int64_t>(c.prefix + "std");
    for (hs::Index r = 0; r < x.rows; ++r) {
      std::int64_t sum = 0, squares = 0;
      for (const std::int64_t value : x.wide_row(r)) sum += value;
      const std::int64_t mean = hs::rounded_quotient(sum, x.cols);
      for (const std::int64_t value : x.wide_row(r)) squares += (value - mean) * (value - mean);
      CHECK(hs::newton_root(squares) == roots[static_cast<std::size_t>(r)]);
    }
    // README: relative to the largest, within 2e-7 of the published values and within 4e-4 of the float norm.
    const auto value = [&](std::size_t i) {
      const auto at = static_cast<hs::Index>(i);
      return static_cast<double>(out(at / x.cols, at % x.cols)) * norm.scale[i % static_cast<std::size_t>(x.cols)];
    };
    const auto floats = g.values<float>(c.prefix + "float_ln");
    double largest = 0;
    for (const float y : floats) largest = std::max(largest, std::fabs(static_cast<double>(y)));
    CHECK(mismatches(g.values<float>(c.prefix + "pub_dequant"), value, {0, 2e-7 * largest}) == 0);
    CHECK(mismatches(floats, value, {0, 4e-4 * largest}) == 0);
  }
}

TEST_CASE("golden: intops dyadic", "[golden]") {
  const Golden g("intops");
  for (const GoldenCase& c : g.cases("dyadic.*.z")) {
    CAPTURE(c.name);
    const auto z = integers<std::int32_t>(g, c.name);
    const auto ident = integers<std::int32_t>(g, c.prefix + "ident");
    const auto out_scale = g.scalar<float>(c.prefix + "out_scale");
    const hs::Dyadic ratio = hs::Dyadic::of(g.scalar<float>(c.prefix + "in_scale"), out_scale);
    CHECK(ratio.multiplier == g.scalar<std::int64_t>(c.prefix + "m"));
    CHECK(ratio.shift == g.scalar<int>(c.prefix + "e"));
    IntegerMatrix<std::int8_t> bytes(z.rows, z.cols);
    IntegerMatrix<std::int16_t> shorts(z.rows, z.cols);
    hs::requantize(z.view(), ratio, bytes.view());
    hs::requantize(z.view(), ratio, shorts.view(),
                   {ident.view(), hs::Dyadic::of(g.scalar<float>(c.prefix + "ident_scale"), out_scale)});
    CHECK(integer_difference(bytes, integers<std::int64_t>(g, c.prefix + "out8")) == "");
    CHECK(integer_difference(shorts, integers<std::int64_t>(g, c.prefix + "out16_residual")) == "");
  }
}

TEST_CASE("golden: intops log-int-softmax", "[golden]") {
  const Golden g("intops");
  for (const GoldenCase& c : g.cases("lis.*.*.codes")) {
    CAPTURE(c.name);
    const std::string parent = "lis." + c.parts[0] + ".";
    const int bits = std::stoi(c.parts[1].substr(1));
    const auto x = integers<std::int8_t>(g, parent + "xint");
    const auto scale = g.scalar<float>(parent + "scale");
    const auto expected = integers<std::int64_t>(g, c.name);
    for (hs::Index r = 0; r < x.rows; ++r) {
      CHECK(hs::reference_log_int_softmax(x.wide_row(r), scale, 1 << bits) == expected.wide_row(r));
    }
    IntegerMatrix<std::uint8_t> out(x.rows, x.cols);
    // The published sentinel 2^b takes a bit more than b; where a byte does not hold that, it is the last code.
    const hs::ZeroPolicy zero = bits < 8 ? hs::ZeroPolicy::mask : hs::ZeroPolicy::clamp;
    hs::log_int_softmax(x.view(), scale, out.view(), {.bits = bits, .zero = zero});
    IntegerMatrix<std::int64_t> held = expected;
    for (std::int64_t& code : held.values) code = bits == 8 && code > 255 ? 255 : code;
    CHECK(integer_difference(out, held) == "");
    const auto published = g.values<float>(c.prefix + "pub_dequant");  // README: 0 differences
    CHECK(mismatches(published, [&](std::size_t i) {
            const auto at = static_cast<hs::Index>(i);
            const std::int64_t code = expected(at / x.cols, at % x.cols);
            return code >= (std::int64_t{1} << bits) ? 0.0 : std::exp2(-static_cast<double>(code));
          }) == 0);
  }
}

TEST_CASE("golden: intops FQ-ViT LayerNorm", "[golden]") {
  const Golden g("intops");
  for (const GoldenCase& c : g.cases("fqln.*.codes")) {
    CAPTURE(c.name);
    const auto codes = integers<std::uint8_t>(g, c.name);
    const auto shifts = g.values<std::int32_t>(c.prefix + "alpha");
    const auto gain = g.values<float>(c.prefix + "gamma"), bias = g.values<float>(c.prefix + "beta");
    const auto m = integers<std::int64_t>(g, c.prefix + "M"), n = integers<std::int64_t>(g, c.prefix + "N");
    const hs::FactorCodes x{codes.view(), g.scalar<float>(c.prefix + "s1"), g.scalar<std::int32_t>(c.prefix + "zp"),
                            shifts};
    const hs::NormOutput output{g.scalar<float>(c.prefix + "out_scale"), 0};
    IntegerMatrix<std::int32_t> out(codes.rows, codes.cols);
    hs::factor_layer_norm(x, gain, bias, output, out.view());
    const auto expected = integers<std::int64_t>(g, c.prefix + "out");
    CHECK(integer_difference(out, expected) == "");
    CHECK(integer_difference(integers<std::int32_t>(g, c.prefix + "pub_out"), expected) == "");
    // M / 2^N are the 8 leading bits of |A|: what the row's float LayerNorm multiplies by, cut.
    for (hs::Index r = 0; r < codes.rows; ++r) {
      double sum = 0, squares = 0;
      for (hs::Index i = 0; i < codes.cols; ++i) {
        const double value = (codes(r, i) - x.zero_point) * (1 << shifts[static_cast<std::size_t>(i)]);
        sum += value;
        squares += value * value;
      }
      const auto count = static_cast<double>(codes.cols);
      const double deviation = std::sqrt(squares / count - sum / count * (sum / count));
      for (hs::Index i = 0; i < codes.cols; ++i) {
        const double a =
            static_cast<double>(gain[static_cast<std::size_t>(i)]) / deviation / static_cast<double>(output.scale);
        const double cut = std::ldexp(static_cast<double>(m(r, i)), -static_cast<int>(n(r, i)));
        CHECK((m(r, i) >= 128 && cut <= std::fabs(a) * (1 + 1e-6)));
        CHECK(cut >= std::fabs(a) * (1 - 1.0 / 128));
      }
    }
  }
}

TEST_CASE("golden: intops is consumed", "[golden]") { Golden("intops").require_all_consumed_at_end(); }
