#include "halfstep/kernels/split_matmul.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

FloatMatrix with_outliers(Index rows, Index cols) {
  FloatMatrix x = random_matrix(rows, cols, 91);
  for (Index r = 0; r < rows; r += 3) {
    x.view()(r, 2) = 8.0f + static_cast<float>(r);
    x.view()(r, cols - 1) = -30.0f;
  }
  return x;
}

/// The product in the order that the header writes down, from the reference product of the integers.
MatrixF expected_product(const SplitMatrix& x, const PackedMatrix& w, const MatrixF& weight, const MatrixF& bias) {
  MatrixF out = reference_product(x.integers(), w);
  for (Index t = 0; t < out.rows(); ++t) {
    for (Index n = 0; n < out.cols(); ++n) {
      volatile float sum = 0;
      for (std::size_t o = 0; o < x.columns().size(); ++o) {
        const volatile float part = x.floats()(t, static_cast<Index>(o)) * weight(n, x.columns()[o]);
        sum = sum + part;
      }
      const volatile float biased = out(t, n) + bias(0, n);
      out(t, n) = x.columns().empty() ? biased : biased + sum;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("split products add the outlier columns in the written order, for weights of any kind", "[split]") {
  const MatrixF weight = random_eigen(37, 50, 92), bias = random_eigen(1, 37, 93);
  ThreadPool pool(3);
  for (const Tiling& tiling : {per_row(), per_tensor(), per_group(16), per_group(19), dealt_columns(50, 8)}) {
    const auto check = [&](const auto& quantized) {
      const PackedMatrix w = pack(quantized);
      const MatrixF decoded = dequantize(quantized);
      for (const float threshold : {6.0f, 0.0f, 2.0f}) {
        const FloatMatrix x = with_outliers(11, 50);
        const SplitMatrix split_x = split(x.view(), {.threshold = threshold, .group = w.layout().group});
        const VectorView b(bias.data(), 37);
        CAPTURE(threshold, tiling.tile_cols);
        CHECK(difference(split_matmul(split_x, w, {.float_weight = view(weight), .bias = b}),
                         expected_product(split_x, w, weight, bias)) == "");
        CHECK(difference(split_matmul(split_x, w, {.float_weight = view(weight), .bias = b, .executor = pool}),
                         expected_product(split_x, w, weight, bias)) == "");
        CHECK(difference(split_matmul(split_x, w, {.bias = b}), expected_product(split_x, w, decoded, bias)) == "");
      }
    };
    check(quantize<Absmax<8>>(weight, {.tiling = tiling}));
    check(quantize<Uniform<4>>(weight, {.tiling = tiling}));
  }
}

TEST_CASE("a split saves what outliers cost the other columns", "[split]") {
  const FloatMatrix x = with_outliers(12, 64);
  const MatrixF weight = random_eigen(20, 64, 94);
  const PackedMatrix w = pack(quantize<Absmax<8>>(weight, {.tiling = per_row()}));
  const MatrixF exact = as_eigen(x.view()) * weight.transpose();
  const auto error = [&](float threshold) {
    return (split_matmul(split(x.view(), {.threshold = threshold}), w, {.float_weight = view(weight)}) - exact).norm();
  };
  CHECK(error(6) < error(0) / 3);
}

TEST_CASE("rows that are not finite give NaN, the others what they gave", "[split]") {
  FloatMatrix x = with_outliers(5, 24);
  const PackedMatrix w = pack(quantize<Absmax<8>>(random_eigen(9, 24, 95), {.tiling = per_row()}));
  const MatrixF before = split_matmul(split(x.view()), w);
  x.view()(1, 7) = std::numeric_limits<float>::infinity();
  const MatrixF after = split_matmul(split(x.view()), w);
  for (Index t = 0; t < 5; ++t) {
    for (Index n = 0; n < 9; ++n) {
      CHECK((t == 1 ? std::isnan(after(t, n)) : after(t, n) == before(t, n)));
    }
  }
}

TEST_CASE("split products refuse what does not fit", "[split]") {
  const FloatMatrix x = with_outliers(4, 24);
  const MatrixF weight = random_eigen(9, 24, 96);
  const PackedMatrix w = pack(quantize<Absmax<8>>(weight, {.tiling = per_row()}));
  const SplitMatrix narrow = split(x.view().col_range(0, 23)), split_x = split(x.view());
  CHECK_RAISES(split_matmul(narrow, w), "split_matmul: x has 23 columns, packed weight expects 24");
  CHECK_RAISES(split_matmul(split_x, w, {.bias = std::vector<float>(8)}), "bias has 8 elements");
  CHECK_RAISES(split_matmul(split_x, w, {.float_weight = view(weight).row_range(0, 8)}),
               "float_weight has shape [8, 24], expected [9, 24]");
  Workspace workspace;
  MatrixF out(4, 8), turned(9, 4);
  CHECK_RAISES(split_matmul_into(split_x, w, mutable_view(out), workspace), "out has shape [4, 8], expected [4, 9]");
  CHECK_RAISES(split_matmul_into(split_x, w, transposed(mutable_view(turned)), workspace),
               "the rows of out must be contiguous");
}
