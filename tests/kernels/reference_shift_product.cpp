#include "halfstep/kernels/reference_shift_product.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Codes `[rows, k]` against V `[k, cols]`, as the file has them.
struct Operands {
  std::vector<std::int32_t> codes, v;
  std::size_t rows, k, cols;

  Operands(const Golden& g, const std::string& prefix)
      : codes(g.values<std::int32_t>(prefix + "codes")), v(g.values<std::int32_t>(prefix + "V")) {
    rows = static_cast<std::size_t>(g.shape(prefix + "codes")[0]);
    k = static_cast<std::size_t>(g.shape(prefix + "codes")[1]);
    cols = static_cast<std::size_t>(g.shape(prefix + "V")[1]);
  }
  [[nodiscard]] std::vector<std::int32_t> row(std::size_t r) const {
    return {codes.begin() + static_cast<std::ptrdiff_t>(r * k), codes.begin() + static_cast<std::ptrdiff_t>(r * k + k)};
  }
  [[nodiscard]] std::vector<std::int32_t> column(std::size_t c) const {
    std::vector<std::int32_t> values;
    for (std::size_t i = 0; i < k; ++i) values.push_back(v[i * cols + c]);
    return values;
  }
};

/// The product as kernels compute it: planes of the codes' values against V as signed bytes.
template <class Q>
hs::MatrixF kernel_product(const Operands& o, const Q& q) {
  hs::MatrixF x(static_cast<hs::Index>(o.rows), static_cast<hs::Index>(o.k));
  hs::MatrixF v(static_cast<hs::Index>(o.cols), static_cast<hs::Index>(o.k));
  for (std::size_t i = 0; i < o.codes.size(); ++i) {
    x.data()[i] = q.decode(o.codes[i]);
    REQUIRE(q.decode(q.encode(x.data()[i])) == x.data()[i]);  // the same level comes out of the product's encoder
  }
  for (std::size_t c = 0; c < o.cols; ++c) {
    for (std::size_t i = 0; i < o.k; ++i) {
      v(static_cast<hs::Index>(c), static_cast<hs::Index>(i)) = static_cast<float>(o.v[i * o.cols + c]);
    }
  }
  return hs::matmul(x, hs::pack_activation(v, hs::Uniform<8>{1.0f, 128}), {.activation = q});
}

/// The README's 1e-5 of the largest, and what the planes may be off by: the lowering's error at each of the sum's
/// terms.
template <class Q>
void check_outputs(const Operands& o, const Q& q, const std::vector<float>& expected,
                   const std::vector<double>& shifted, double cut) {
  double largest = 0;
  for (const float y : expected) largest = std::max(largest, std::fabs(static_cast<double>(y)));
  CHECK(mismatches(expected, [&](std::size_t i) { return shifted[i]; }, {0, 1e-5 * largest + cut}) == 0);
  const hs::MatrixF y = kernel_product(o, q);
  double sizes = 0;
  for (std::size_t c = 0; c < o.cols; ++c) {
    double column = 0;
    for (const std::int32_t value : o.column(c)) column += std::abs(value);
    sizes = std::max(sizes, column);
  }
  const double planes = static_cast<double>(hs::lower(q).max_error) * sizes;
  CHECK(mismatches(expected, [&](std::size_t i) { return y.data()[i]; }, {0, 1e-5 * largest + planes}) == 0);
}

template <int Bits>
void check_adalog(const Golden& g, const std::string& prefix, std::int32_t base) {
  const hs::AdaLog<Bits, hs::ZeroPolicy::mask> q{1.0f, 0.0f, base};
  const Operands o(g, prefix);
  for (const GoldenCase& c : g.cases(prefix + "acc_frac*")) {
    CAPTURE(c.name);
    const int fraction = c.number();
    const auto expected = g.values<std::int64_t>(c.name);
    std::vector<double> outputs;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::int64_t sum = hs::reference_adalog_dot(q, o.row(i / o.cols), o.column(i % o.cols), fraction);
      CHECK(sum == expected[i]);
      outputs.push_back(static_cast<double>(sum) * hs::adalog_unit(q, fraction));
    }
    // Each term is cut by less than a unit of the accumulator.
    const double cut = static_cast<double>(o.k) * hs::adalog_unit(q, fraction);
    check_outputs(o, q, g.values<float>(prefix + "out"), outputs, cut);
  }
}

template <int Bits>
void check_log_sqrt2(const Golden& g, const std::string& prefix) {
  const hs::LogSqrt2<Bits, hs::ZeroPolicy::mask> q{g.scalar<float>(prefix + "scale")};
  const Operands o(g, prefix);
  const auto even = g.values<std::int64_t>(prefix + "acc_even"), odd = g.values<std::int64_t>(prefix + "acc_odd");
  std::vector<double> outputs;
  for (std::size_t i = 0; i < even.size(); ++i) {
    const hs::EvenOddSums sums = hs::reference_log_sqrt2_dot(q, o.row(i / o.cols), o.column(i % o.cols));
    CHECK(sums == hs::EvenOddSums{even[i], odd[i]});
    outputs.push_back(hs::log_sqrt2_value(q, sums));
  }
  check_outputs(o, q, g.values<float>(prefix + "out"), outputs, 0);
}

}  // namespace

TEST_CASE("shifted products by hand", "[reference_shift_product]") {
  // b = 3: D = 14; q = 37: a halving per code and T2 = 14. 14 * 5 = 70: 70, 35, 17.5 cut to 17, -17.5 to -18.
  const hs::AdaLog<3> adalog{1.0f, 0.0f, 37};
  const std::vector<std::int32_t> first{0, 1, 2}, five{5, 5, 5}, minus{-5, -5, -5}, zero{7, 7, 7};
  CHECK(hs::reference_adalog_dot(adalog, first, five, 0) == 70 + 35 + 17);
  CHECK(hs::reference_adalog_dot(adalog, first, minus, 0) == -70 - 35 - 18);
  CHECK(hs::reference_adalog_dot(adalog, first, minus, 1) == -140 - 70 - 35);
  CHECK(hs::reference_adalog_dot(adalog, zero, five, 8) == 0);  // the last code is zero
  CHECK(hs::adalog_unit(adalog, 1) == 1.0 / 28);
  // b = 3: codes 0, 1, 2 are 1, sqrt(2) / 2, 1 / 2 in units of 2^-4.
  const hs::LogSqrt2<3> roots{1.0f};
  CHECK(hs::reference_log_sqrt2_dot(roots, first, five) == hs::EvenOddSums{5 * 16 + 5 * 8, 5 * 8});
  CHECK(hs::log_sqrt2_value(roots, {16, 0}) == 1.0);
}

TEST_CASE("golden: adalog intmm", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("intmm.b*.q*.codes")) {
    REQUIRE(with_value<2, 3, 4, 5, 6, 7>(c.number(0),
                                         [&](auto bits) { check_adalog<bits.value>(g, c.prefix, c.number(1)); }));
  }
  g.require_consumed("intmm.*");
}

TEST_CASE("golden: log2 shiftmm", "[golden]") {
  const Golden g("log2");
  for (const GoldenCase& c : g.cases("shiftmm.b*.codes")) {
    REQUIRE(with_value<2, 3, 4, 5>(c.number(0), [&](auto bits) { check_log_sqrt2<bits.value>(g, c.prefix); }));
  }
  g.require_consumed("shiftmm.*");
}
