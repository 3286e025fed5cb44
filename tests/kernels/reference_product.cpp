#include "halfstep/kernels/reference_product.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "kernels/every_quantizer.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A weight of given codes under given quantizers, one per granule.
template <class Q>
hs::QuantizedMatrix<Q> weight(hs::Shape shape, const hs::Tiling& tiling, const std::vector<Q>& quantizers,
                              const std::vector<std::uint8_t>& codes) {
  hs::QuantizedMatrix<Q> matrix(shape, tiling);
  for (std::size_t g = 0; g < quantizers.size(); ++g) matrix.set_quantizer(static_cast<hs::Index>(g), quantizers[g]);
  for (hs::Index r = 0; r < shape.rows; ++r) matrix.set_row(r, codes.data() + r * shape.cols);
  return matrix;
}

/// The product in double, from what the codes stand for, and a bound of how far the float product may be: for G groups
/// (G + 2) * 2^-24 of the sum of the groups' magnitudes (docs/numerics.md, section 3), plus the correction in double,
/// whose terms are rounded to 2^-53 of their size each where zeros are fractions.
struct Exact {
  double value = 0;
  double bound = 0;
};

Exact exact_product(const hs::EncodedMatrix& x, const hs::PackedMatrix& w, hs::Index m, hs::Index n) {
  Exact result;
  double terms = 0;
  for (hs::Index g = 0; g < w.layout().groups(); ++g) {
    double part = 0;
    for (hs::Index k = w.layout().begin(g); k < w.layout().begin(g) + w.layout().length(g); ++k) {
      double b = -static_cast<double>(w.zero(g)[n]), b_size = std::fabs(b);
      for (int r = 0; r < w.plane_count(); ++r) {
        b += static_cast<double>(w.plane_weight(r)) * w.plane_value(r, n, k);
        b_size += std::fabs(static_cast<double>(w.plane_weight(r)) * w.plane_value(r, n, k));
      }
      double a_size = std::fabs(static_cast<double>(x.zero(m)));
      for (int p = 0; p < x.plane_count(); ++p) {
        a_size += std::fabs(static_cast<double>(x.plane_weight(p)) * x.plane_value(p, m, w.channel(k)));
      }
      const double scale = static_cast<double>(w.scale(g)[n]);
      part += x.value(m, w.channel(k)) * scale * b;
      terms += std::fabs(static_cast<double>(x.scale(m)) * scale) * a_size * b_size;
    }
    result.value += part;
    result.bound += std::fabs(part);
  }
  const auto groups = static_cast<double>(w.layout().groups());
  result.bound =
      (groups + 2) * 0x1p-24 * (1 + 0x1p-20) * result.bound + 16 * 0x1p-53 * terms * static_cast<double>(w.cols());
  return result;
}

void check_against_double(const hs::Activation& activation, const hs::PackedMatrix& packed) {
  const hs::MatrixF x = random_eigen(5, 50, 21, 1, 0.3f);
  const hs::EncodedMatrix encoded = hs::encode(x, activation);
  const hs::MatrixF product = hs::reference_product(encoded, packed);
  for (hs::Index m = 0; m < 5; ++m) {
    for (hs::Index n = 0; n < 7; ++n) {
      const Exact exact = exact_product(encoded, packed, m, n);
      CAPTURE(m, n, product(m, n), exact.value, exact.bound);
      REQUIRE(std::fabs(static_cast<double>(product(m, n)) - exact.value) <= exact.bound);
    }
  }
}

}  // namespace

TEST_CASE("a product that fits on paper", "[reference_product]") {
  // x = (1, -1, 2) in steps of 1/2 from zero point 4; w = (1, 0, -2), (3, 3, 1) in steps of 1 from 3, and of 2 from 0.
  hs::MatrixF x(1, 3);
  x << 1, -1, 2;
  const hs::EncodedMatrix encoded = hs::encode(x, hs::Uniform<4>{0.5f, 4});
  const auto packed = hs::pack(weight<hs::Uniform<4>>({2, 3}, hs::per_row(), {{1, 3}, {2, 0}}, {4, 3, 1, 3, 3, 1}));
  const hs::MatrixF y = hs::reference_product(encoded, packed);
  CHECK(y(0, 0) == 1 * 1 + -1 * 0 + 2 * -2);
  CHECK(y(0, 1) == 1 * 6 + -1 * 6 + 2 * 2);
  // By the formula: D = sum a b, a = (6, 2, 8), b lowered by 8: (-4, -5, -7), zero 3 - 8 = -5, A = 16, B = -16.
  CHECK(hs::plane_dot(encoded.rows_view(), 0, 0, packed, 0, 0, 0) == 6 * -4 + 2 * -5 + 8 * -7);
  CHECK(hs::reference_group(encoded.rows_view(), 0, packed, 0, 0) == -90 + 5 * 16 - 4 * -16 + 3 * 4 * -5);
}

TEST_CASE("groups, a short one and a map of columns on paper", "[reference_product]") {
  hs::MatrixF x(1, 5);
  x << 1, 2, 3, 4, 5;
  const hs::EncodedMatrix encoded = hs::encode(x, hs::Uniform<4>{1, 0});
  const auto grouped =
      hs::pack(weight<hs::Uniform<4>>({1, 5}, hs::per_group(2), {{1, 0}, {0.5f, 1}, {4, 2}}, {1, 2, 3, 4, 5}));
  CHECK(hs::reference_product(encoded, grouped)(0, 0) == (1 * 1 + 2 * 2) + 0.5f * (3 * 2 + 4 * 3) + 4 * (5 * 3));
  // Columns 0, 3, 4 are group 1 ... of a map with group 0 = {1, 2}, group 1 = {0, 4}, group 2 = {3}.
  const auto mapped = hs::pack(weight<hs::Uniform<4>>({1, 5}, hs::per_column_map({1, 0, 0, 2, 1}),
                                                      {{1, 0}, {0.5f, 1}, {4, 2}}, {1, 2, 3, 4, 5}));
  CHECK(hs::reference_product(encoded, mapped)(0, 0) == (2 * 2 + 3 * 3) + 0.5f * (1 * 0 + 5 * 4) + 4 * (4 * 2));
}

TEST_CASE("two planes on either side and a fraction as zero on paper", "[reference_product]") {
  // Values start + scale * code on both sides; even codes in one plane, odd ones in another.
  hs::MatrixF x(1, 4);
  x << 0.25f, 1.25f, 2.25f, 3.25f;
  const EvenOddQuantizer<4> qx{1, 0.25f}, qw{2, -0.5f};
  const hs::EncodedMatrix encoded = hs::encode(x, qx);
  CHECK(encoded.plane_count() == 2);
  CHECK(encoded.zero(0) == -0.25f);
  const auto packed = hs::pack(weight<EvenOddQuantizer<4>>({1, 4}, hs::per_tensor(), {qw}, {0, 1, 2, 3}));
  CHECK(packed.plane_count() == 2);
  // w = (-0.5, 1.5, 3.5, 5.5)
  CHECK(hs::reference_product(encoded, packed)(0, 0) == 0.25f * -0.5f + 1.25f * 1.5f + 2.25f * 3.5f + 3.25f * 5.5f);
}

TEST_CASE("products of every weight and activation are those of what codes stand for", "[reference_product]") {
  const hs::MatrixF w = random_eigen(7, 50, 22, 1, 0.4f);
  const hs::PackedMatrix uniform = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(16)}));
  const hs::PackedMatrix powers = hs::pack(hs::quantize<PowerQuantizer<4>>(w, {.tiling = hs::per_row()}));
  const hs::Activation fraction = EvenOddQuantizer<4>::fit({-2, 3, 0});
  for (const KernelQuantizer& quantizer : every_quantizer()) {
    INFO(quantizer.name);
    check_against_double(quantizer.fitted.activation, uniform);
    check_against_double(quantizer.fitted.activation, powers);
    if (!quantizer.is_weight) continue;
    for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(16), hs::per_group(7), dealt_columns(50, 8)}) {
      const hs::PackedMatrix weight = quantizer.pack(w, {.tiling = tiling});
      if (weight.needs_floats()) continue;
      check_against_double(hs::Activation(), weight);
      check_against_double(fraction, weight);
    }
  }
}

TEST_CASE("a product of floats is that of the decoded weight", "[reference_product]") {
  const hs::MatrixF w = random_eigen(9, 50, 22, 1, 0.4f), x = random_eigen(5, 50, 23);
  const auto check = [&](const hs::PackedMatrix& packed, const hs::MatrixF& values) {
    const hs::MatrixF y = hs::reference_float_product(hs::view(x), packed);
    for (hs::Index n = 0; n < 9; ++n) {
      for (hs::Index k = 0; k < 50; ++k) REQUIRE(hs::packed_value(packed, n, k) == values(n, packed.channel(k)));
      for (hs::Index m = 0; m < 5; ++m) {
        double exact = 0, magnitude = 0;
        for (hs::Index k = 0; k < 50; ++k) {
          const double part = static_cast<double>(x(m, k)) * static_cast<double>(values(n, k));
          exact += part;
          magnitude += std::fabs(part);
        }
        // Each of 50 steps rounds at most twice, a product and a sum, to half an ulp of at most `magnitude`.
        REQUIRE(std::fabs(static_cast<double>(y(m, n)) - exact) <= 100 * 0x1p-24 * (1 + 0x1p-10) * magnitude);
      }
    }
  };
  for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(16), hs::per_group(7), dealt_columns(50, 8)}) {
    const auto uniform = hs::quantize<hs::Uniform<4>>(w, {.tiling = tiling});
    check(hs::pack(uniform), hs::dequantize(uniform));
    const auto fp8 = hs::quantize<hs::Fp8E4M3>(w, {.tiling = tiling});
    check(hs::pack(fp8), hs::dequantize(fp8));
    const auto wide = hs::quantize<hs::MXFP8E5M2>(w, {.tiling = tiling});
    check(hs::pack(wide), hs::dequantize(wide));
  }
  const auto packed = hs::pack(hs::quantize<hs::Fp8E4M3>(w));
  CHECK_RAISES(hs::reference_float_product(hs::view(random_eigen(2, 7, 1)), packed),
               "x has 7 columns, packed weight expects 50");
  CHECK_RAISES(hs::reference_product(hs::encode(x, hs::Activation()), packed), "no planes of integers");
}

TEST_CASE("a row that is not finite gives NaN, other columns are refused", "[reference_product]") {
  hs::MatrixF x = random_eigen(2, 8, 1);
  x(1, 3) = NAN;
  const auto packed = hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(3, 8, 2)));
  const hs::MatrixF y = hs::reference_product(hs::encode(x, hs::Activation()), packed);
  for (hs::Index n = 0; n < 3; ++n) {
    CHECK(std::isfinite(y(0, n)));
    CHECK(std::isnan(y(1, n)));
  }
  CHECK_RAISES(hs::reference_product(hs::encode(random_eigen(2, 7, 1), hs::Activation()), packed),
               "x has 7 columns, packed weight expects 8");
}
