#include "halfstep/calibrators/range/output_loss.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "calibrators/range/output_reference.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

using U4 = Uniform<4>;

std::vector<U4> some_quantizers(std::size_t count) {
  std::vector<U4> quantizers;
  for (std::size_t g = 0; g < count; ++g) {
    quantizers.push_back({0.25f + 0.03f * static_cast<float>(g % 5), static_cast<std::int32_t>(6 + g % 4)});
  }
  return quantizers;
}

float round_trip(const U4& q, float x) { return q.decode(q.encode(x)); }

/// How far a loss may be from its definition. Errors are float sums of k products (k + 2 roundings of 2^-24 of their
/// magnitudes, which the data here keeps below 30 times the error itself), squares count them twice, and weights are
/// floats. A cosine is 1 less a quotient of doubles, so beside 0 it is off by a few of their ulps.
constexpr double relative_slack = 1e-4, cosine_slack = 1e-14;

void check(const std::vector<ObservedProduct>& products, Operand operand, const ProductTiling& tiling,
           OutputMetric metric, bool other_is_quantized) {
  const ProductGranules granules("test", products, operand, tiling);
  const std::vector<U4> quantizers = some_quantizers(static_cast<std::size_t>(granules.count()));
  const U4 other{0.4f, 8};
  std::vector<MatrixF> fixed;
  if (other_is_quantized) {
    fixed = fake_quantize_operand(std::span<const ObservedProduct>(products), other_operand(operand),
                                  std::vector{other}, Heads::together);
  }
  const Become searched = [&](std::size_t p, Index r, float x) {
    return round_trip(quantizers[static_cast<std::size_t>(granules.granule(p, r))], x);
  };
  const Become given = [&](std::size_t, Index, float x) { return other_is_quantized ? round_trip(other, x) : x; };
  const auto expected =
      reference_losses(products, operand == Operand::lhs ? searched : given, operand == Operand::lhs ? given : searched,
                       metric, quantizers.size(), [&](std::size_t p, Index m, Index n) {
                         return static_cast<std::size_t>(granules.granule(p, operand == Operand::lhs ? m : n));
                       });
  const OutputLoss<U4> loss(products, fixed, {.operand = operand, .tiling = tiling, .metric = metric});
  REQUIRE(loss.granules() == granules.count());
  std::vector<double> found(quantizers.size());
  loss(quantizers, found);
  for (std::size_t g = 0; g < found.size(); ++g) {
    CAPTURE(static_cast<int>(metric), operand == Operand::lhs, other_is_quantized, g);
    CHECK(found[g] == Approx(expected[g]).epsilon(relative_slack).margin(cosine_slack));
  }
}

/// A linear layer whose input has more rows than a block of errors, outputs more than columns.
struct LossLayer {
  FloatMatrix x, w, gradient;
  std::vector<float> bias;
  LossLayer(Index tokens, Index in, Index out)
      : x(random_matrix(tokens, in, 1)),
        w(random_matrix(out, in, 2, 0.5f)),
        gradient(random_matrix(tokens, out, 3)),
        bias(random_matrix(1, out, 4).values) {}
  [[nodiscard]] std::vector<ObservedProduct> products() const {
    return {{.lhs = x.view(), .rhs = w.view(), .bias = bias, .gradient = gradient.view()}};
  }
};

}  // namespace

TEST_CASE("the loss of a layer's output is what its definition says") {
  for (const LossLayer& layer : {LossLayer(140, 9, 30), LossLayer(11, 24, 6)}) {
    for (const OutputMetric metric : all_metrics()) {
      for (const bool quantized : {false, true}) {
        for (const ProductTiling& tiling :
             {ProductTiling(), ProductTiling(per_row()), ProductTiling(per_row_block(4))}) {
          check(layer.products(), Operand::rhs, tiling, metric, quantized);
        }
        check(layer.products(), Operand::lhs, {}, metric, quantized);
        check(layer.products(), Operand::lhs, per_row_block(50), metric, quantized);
      }
    }
  }
}

TEST_CASE("outputs wider than a block of errors are taken in parts") {
  const LossLayer layer(1100, 7, 5);  // more columns than 512 from the side of the weight
  check(layer.products(), Operand::rhs, per_row(), OutputMetric::hessian, true);
  check(layer.products(), Operand::rhs, {}, OutputMetric::cosine, true);
  check(layer.products(), Operand::rhs, per_row(), OutputMetric::absolute, false);
}

TEST_CASE("the loss of products of two activations, of each head and of all") {
  const FloatMatrix a = random_matrix(24, 20, 5), v = random_matrix(40, 12, 6), gradient = random_matrix(24, 12, 7);
  std::vector<ObservedProduct> products;
  for (Index image = 0; image < 2; ++image) {
    for (Index head = 0; head < 2; ++head) {  // heads side by side in v and gradient, one below the other in a
      products.push_back({.lhs = a.view().row_range((image * 2 + head) * 6, 6),
                          .rhs = transposed(v.view().block(image * 20, head * 6, 20, 6)),
                          .gradient = gradient.view().block(image * 12 + head * 6, head * 6, 6, 6),
                          .head = head});
    }
  }
  for (const OutputMetric metric : all_metrics()) {
    for (const Operand operand : {Operand::lhs, Operand::rhs}) {
      for (const Heads heads : {Heads::apart, Heads::together}) {
        check(products, operand, heads, metric, false);
        check(products, operand, heads, metric, true);
      }
    }
  }
}

TEST_CASE("the loss of an output is the same bits for any executor") {
  const LossLayer layer(300, 40, 100);
  const std::vector<ObservedProduct> products = layer.products();
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  const std::vector<U4> quantizers = some_quantizers(100);
  const std::vector<MatrixF> other =
      fake_quantize_operand(std::span<const ObservedProduct>(products), Operand::lhs, std::vector{U4{0.4f, 8}});
  for (const OutputMetric metric : all_metrics()) {
    std::vector<std::vector<double>> found;
    for (const ExecutorRef executor : {ExecutorRef(), ExecutorRef(pool), ExecutorRef(backwards)}) {
      const OutputLoss<U4> loss(products, other, {Operand::rhs, per_row(), metric, executor});
      loss(quantizers, found.emplace_back(100));
    }
    CHECK(found[1] == found[0]);
    CHECK(found[2] == found[0]);
  }
}

TEST_CASE("nothing changed is no loss, and nothing at all is no output") {
  const LossLayer layer(20, 6, 4);
  FloatMatrix grid(20, 6);
  for (std::size_t i = 0; i < grid.values.size(); ++i) grid.values[i] = static_cast<float>(i % 16) - 8;
  const std::vector<ObservedProduct> products = {{.lhs = grid.view(), .rhs = layer.w.view()}};
  const U4 exact{1, 8};
  double loss = 1;
  OutputLoss<U4>{products}({&exact, 1}, {&loss, 1});
  CHECK(loss == 0);
  const FloatMatrix zeros(20, 6);
  const std::vector<ObservedProduct> nothing = {{.lhs = zeros.view(), .rhs = layer.w.view()}};
  OutputLoss<U4>(nothing, {}, {.operand = Operand::rhs})({&exact, 1}, {&loss, 1});
  CHECK(loss == 0);
  OutputLoss<U4>(nothing, {}, {.operand = Operand::rhs, .metric = OutputMetric::cosine})({&exact, 1}, {&loss, 1});
  CHECK(loss == 1);
}

TEST_CASE("the loss of an output says what is wrong") {
  LossLayer layer(5, 6, 4);
  std::vector<ObservedProduct> products = layer.products();
  const OutputLossOptions hessian{.metric = OutputMetric::hessian};
  CHECK_RAISES(OutputLoss<U4>(std::span<const ObservedProduct>()), "OutputLoss: products is empty");
  CHECK_RAISES(OutputLoss<U4>(products, std::vector<MatrixF>(2)),
               "OutputLoss: other has 2 matrices, there are 1 products");
  CHECK_RAISES(OutputLoss<U4>(products, {MatrixF(4, 5)}),
               "OutputLoss: other of product 0 has shape [4, 5], expected [4, 6]");
  CHECK_RAISES(OutputLoss<U4>(products, {}, {.tiling = per_group(2)}), "OutputLoss: tiling divides rows");
  products[0].gradient = layer.gradient.view().row_range(0, 3);
  CHECK_RAISES(OutputLoss<U4>(products, {}, hessian), "gradient of product 0 has shape [3, 4], expected [5, 4]");
  products[0].gradient = {};
  CHECK_RAISES(OutputLoss<U4>(products, {}, hessian), "gradient of product 0 has shape [0, 0], expected [5, 4]");
  products = layer.products();
  layer.gradient.values[9] = -std::numeric_limits<float>::infinity();
  CHECK_RAISES(OutputLoss<U4>(products, {}, hessian), "gradient of product 0 is not finite: row 2, column 1 is -inf");
  layer.bias[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(OutputLoss<U4>(products), "OutputLoss: bias is not finite: row 0, column 2 is nan");
  layer.w.values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(OutputLoss<U4>(products), "OutputLoss: rhs is not finite: row 1, column 1 is nan");
}
