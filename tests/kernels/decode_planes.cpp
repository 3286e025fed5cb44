#include "halfstep/kernels/decode_planes.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Every code's value from the planes against `decode`.
template <class Q>
void check_code_values(const Q& q) {
  const Activation activation(q);
  const Activation::RowScale scale = activation.static_scale();
  const auto values = code_values(activation, scale);
  const auto unit = static_cast<double>(scale.unit);
  const double largest_error = static_cast<double>(lower(q).max_error);
  for (int code = 0; code < level_count<Q>; ++code) {
    CAPTURE(code, activation.plane_count());
    const auto expected = static_cast<double>(q.decode(std::int32_t{code}));
    // Both values are rounded to float, and so is the zero when the planes are shifted to unsigned bytes.
    const double size = std::fabs(expected) + unit * (std::fabs(static_cast<double>(scale.zero)) + 256);
    CHECK(std::fabs(static_cast<double>(values[static_cast<std::size_t>(code)]) - expected) <=
          largest_error + std::ldexp(size, -23));
  }
}

/// A packed weight against its quantized matrix, for lowerings that are exact.
template <class Q>
void check_packed(Index rows, Index cols) {
  const MatrixF w = random_eigen(rows, cols, 91);
  for (const Tiling& tiling : {per_tensor(), per_row(), per_group(19), per_group(32), dealt_columns(cols, 8)}) {
    CAPTURE(rows, cols, Q::bits, tiling.tile_cols);
    const QuantizedMatrix<Q> quantized = quantize<Q>(w, {.tiling = tiling});
    CHECK(difference(decode_packed(pack(quantized)), dequantize(quantized)) == "");
  }
}

}  // namespace

TEST_CASE("values of codes are what the quantizer decodes", "[decode_planes]") {
  check_code_values(Uniform<8>::fit({-1.5f, 4.0f, 0}));
  check_code_values(Uniform<3>::fit({-1.5f, 4.0f, 0}));
  check_code_values(Log2<4>::fit({0, 0.7f, 0}));
  check_code_values(LogSqrt2<4>::fit({0, 0.7f, 0}));
  check_code_values(EvenOddQuantizer<6>::fit({-1.0f, 2.0f, 0}));
  check_code_values(PowerQuantizer<4>::fit({0, 3.0f, 0}));
}

TEST_CASE("packed minifloats are decoded as well", "[decode_planes]") {
  const MatrixF w = random_eigen(19, 40, 93);
  const QuantizedMatrix<Fp8E4M3> quantized = quantize<Fp8E4M3>(w, {.tiling = per_group(16)});
  CHECK(difference(decode_packed(pack(quantized)), dequantize(quantized)) == "");
}

TEST_CASE("a static rule fake-quantizes each element, at any strides", "[decode_planes]") {
  const MatrixF x = random_eigen(70, 9, 92);
  const auto q = Log2<4>::fit({0, 2.0f, 0});
  REQUIRE(Activation(q).plane_count() == 2);
  const MatrixView<const float> strided = transposed(view(x));
  MatrixF out(9, 70);
  Workspace workspace;
  fake_quantize_into(strided, q, mutable_view(out), workspace);
  int wrong = 0;
  for (Index r = 0; r < 9; ++r) {
    for (Index c = 0; c < 70; ++c) wrong += out(r, c) == q.decode(q.encode(x(c, r))) ? 0 : 1;
  }
  CHECK(wrong == 0);
  const std::size_t capacity = workspace.capacity();
  fake_quantize_into(strided, q, mutable_view(out), workspace);
  CHECK(workspace.capacity() == capacity);  // and it was given back
}

TEST_CASE("a rule per token is fitted to each row, and rows that are not finite become NaN", "[decode_planes]") {
  MatrixF x = random_eigen(6, 33, 93);
  x.row(4) *= 100;
  x(2, 32) = std::numeric_limits<float>::infinity();
  MatrixF out(6, 33);
  Workspace workspace;
  fake_quantize_into(view(x), Activation(), mutable_view(out), workspace);
  for (Index r = 0; r < 6; ++r) {
    CAPTURE(r);
    if (r == 2) {
      CHECK(out.row(r).array().isNaN().all());
      continue;
    }
    const auto q = fit<Uniform<8>>(Range{x.row(r).minCoeff(), x.row(r).maxCoeff(), 0}, Symmetry::affine);
    int wrong = 0;
    for (Index c = 0; c < 33; ++c) wrong += out(r, c) == q.decode(q.encode(x(r, c))) ? 0 : 1;
    CHECK(wrong == 0);
  }
}

TEST_CASE("a packed weight decodes to its quantized matrix, in the order of its inputs", "[decode_planes]") {
  check_packed<Uniform<8>>(21, 70);
  check_packed<Uniform<4>>(67, 70);
  check_packed<Uniform<3>>(5, 33);
  check_packed<Log2<4>>(18, 40);
  CHECK(decode_packed(pack(quantize<Uniform<4>>(MatrixF(3, 0)))).rows() == 3);
}
