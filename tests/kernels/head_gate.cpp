#include "halfstep/kernels/head_gate.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

struct Layer {
  FloatMatrix x, weight, bias;
};

Layer layer(Index tokens, Index heads, Index size) {
  return {random_matrix(tokens, heads * size, 71), random_matrix(heads, size, 72), random_matrix(1, heads, 73)};
}

double logit(const Layer& l, Index h, Index t) {
  double sum = static_cast<double>(l.bias(0, h));
  for (Index i = 0; i < l.weight.cols; ++i) {
    sum += static_cast<double>(l.x(t, h * l.weight.cols + i)) * static_cast<double>(l.weight(h, i));
  }
  return sum;
}

}  // namespace

TEST_CASE("gates are sigmoids of a linear function of their head's input", "[head_gate]") {
  for (const Index size : {1, 7, 16, 33}) {
    for (const GateScope scope : {GateScope::per_token, GateScope::per_head}) {
      const Layer l = layer(19, 3, size);
      const MatrixF gates = head_gates(l.x.view(), l.weight.view(), l.bias.values, {.scope = scope, .scale = 4});
      for (Index h = 0; h < 3; ++h) {
        double mean = 0;
        for (Index t = 0; t < 19; ++t) mean += logit(l, h, t) / 19;
        for (Index t = 0; t < 19; ++t) {
          const double z = scope == GateScope::per_head ? mean : logit(l, h, t);
          // A sigmoid moves by a quarter of its logit; the logit sums terms of at most about 16 in size with one
          // rounding each and those of the sum; exp is good to 4e-7, the quotient adds three roundings.
          const double bound = 4 * (0.25 * 16 * (static_cast<double>(size) + 21) * 0x1p-24 + 4e-7 + 3 * 0x1p-24);
          CAPTURE(size, h, t, z);
          CHECK(std::fabs(static_cast<double>(gates(h, t)) - 4 / (1 + std::exp(-z))) <= bound);
        }
      }
    }
  }
}

TEST_CASE("gates are the same for any executor and storage order", "[head_gate]") {
  const Layer l = layer(3000, 4, 9);
  const MatrixF expected = head_gates(l.x.view(), l.weight.view(), l.bias.values);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  CHECK(head_gates(l.x.view(), l.weight.view(), l.bias.values, {}, pool) == expected);
  CHECK(head_gates(l.x.view(), l.weight.view(), l.bias.values, {}, backwards) == expected);
  FloatMatrix turned(l.x.cols, l.x.rows);
  for (Index r = 0; r < l.x.rows; ++r) {
    for (Index c = 0; c < l.x.cols; ++c) turned.view()(c, r) = l.x(r, c);
  }
  CHECK(head_gates(transposed(turned.view()), l.weight.view(), l.bias.values) == expected);
}

TEST_CASE("gates multiply their head", "[head_gate]") {
  const Layer l = layer(5, 2, 3);
  const MatrixF gates = head_gates(l.x.view(), l.weight.view(), {});
  FloatMatrix context = random_matrix(5, 6, 74);
  const FloatMatrix before = context;
  apply_head_gates(context.view(), view(gates));
  for (Index t = 0; t < 5; ++t) {
    for (Index c = 0; c < 6; ++c) CHECK(context(t, c) == before(t, c) * gates(c / 3, t));
  }
}

TEST_CASE("extreme logits give gates of 0 and 1, NaN stays", "[head_gate]") {
  FloatMatrix x(4, 1), weight(1, 1);
  weight.values = {1};
  x.values = {-1000, 1000, std::numeric_limits<float>::quiet_NaN(), 0};
  const MatrixF gates = head_gates(x.view(), weight.view(), {});
  CHECK(gates(0, 0) == 0);
  CHECK(gates(0, 1) == 1);
  CHECK(std::isnan(gates(0, 2)));
  CHECK(gates(0, 3) == 0.5f);
  CHECK(head_gates(x.view().row_range(0, 0), weight.view(), {}, {.scope = GateScope::per_head}).size() == 0);
}

TEST_CASE("gates refuse what does not fit", "[head_gate]") {
  const Layer l = layer(5, 2, 3);
  CHECK_RAISES(head_gates(l.x.view().col_range(0, 5), l.weight.view(), l.bias.values),
               "head_gates: x has 5 columns, expected 6 for a weight of shape [2, 3]");
  CHECK_RAISES(head_gates(l.x.view(), l.weight.view(), std::vector<float>(3)),
               "bias has 3 elements, weight has 2 rows");
  CHECK_RAISES(head_gates(l.x.view(), transposed(MatrixView<const float>(l.x.values.data(), 3, 2)), {}),
               "the rows of weight must be contiguous");
  CHECK_RAISES(head_gates(l.x.view(), l.weight.view(), {}, {.scale = 0}), "scale is 0, expected a positive number");
  FloatMatrix context = random_matrix(5, 6, 75);
  const FloatMatrix gates = random_matrix(2, 4, 76), four = random_matrix(4, 5, 76);
  CHECK_RAISES(apply_head_gates(context.view(), gates.view()),
               "apply_head_gates: gates has shape [2, 4], context [5, 6]");
  CHECK_RAISES(apply_head_gates(context.view(), four.view()), "gates has shape [4, 5]");
}
