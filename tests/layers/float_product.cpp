#include "halfstep/layers/float_product.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

TEST_CASE("plain_product sums in double over any strides", "[float_product]") {
  const FloatMatrix a = random_matrix(3, 50, 71), b = random_matrix(50, 4, 72);
  FloatMatrix out(3, 4);
  hs::plain_product(a.view(), hs::transposed(b.view()), out.view());
  for (hs::Index m = 0; m < 3; ++m) {
    for (hs::Index n = 0; n < 4; ++n) {
      double sum = 0;
      for (hs::Index k = 0; k < 50; ++k) sum += static_cast<double>(a(m, k)) * static_cast<double>(b(k, n));
      CHECK(out(m, n) == static_cast<float>(sum));
    }
  }
}

TEST_CASE("bias and epilogue are applied to every element, and nothing else", "[float_product]") {
  for (const hs::Index cols : {1, 7, 8, 19, 40}) {
    FloatMatrix out = random_matrix(4, cols + 2, 73);
    const FloatMatrix before = out, bias = random_matrix(1, cols, 74);
    hs::apply_bias_and_epilogue(out.view().col_range(0, cols), bias.values, hs::Relu{});
    for (hs::Index r = 0; r < 4; ++r) {
      CAPTURE(cols, r);
      for (hs::Index c = 0; c < cols; ++c) CHECK(out(r, c) == std::fmax(before(r, c) + bias(0, c), 0.0f));
      for (hs::Index c = cols; c < cols + 2; ++c) CHECK(out(r, c) == before(r, c));
    }
  }
  FloatMatrix untouched = random_matrix(2, 5, 75);
  const FloatMatrix before = untouched;
  hs::apply_bias_and_epilogue(untouched.view(), {}, {});
  CHECK(halfstep_tests::first_difference(untouched.view(), before.view()) == "");
}
