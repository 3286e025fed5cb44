#include "halfstep/layers/input_rule.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/fake_quantized_engine.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/quantizers/absmax.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/quantized_block.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

constexpr hs::Index outputs = 21, inputs = 40, rows = 6;

/// One layer, and inputs in whose columns 3 and 17 every sequence of `rows` rows has an outlier of its own.
struct Layer {
  hs::SiteList sites;
  hs::Linear fc = random_linear(sites, "fc", outputs, inputs, 561);
  hs::SiteSpecs specs{sites};
  FloatMatrix x = random_matrix(2 * rows, inputs, 562);

  explicit Layer(hs::InputRule input, hs::InputTransform transform = {}) {
    x.view()(2, 3) = 9;
    x.view()(rows + 1, 17) = -7;
    specs.set("fc", hs::LinearSpec{hs::pack(hs::quantize<hs::Uniform<4>>(fc.weight_view(), {.tiling = hs::per_row()})),
                                   4, std::move(input), std::move(transform)});
  }
  [[nodiscard]] const hs::PackedMatrix& weight() const { return std::get<hs::LinearSpec>(specs.at(fc.site)).weight; }
  [[nodiscard]] FloatMatrix run(hs::Engine& engine, hs::Epilogue epilogue = {}) const {
    FloatMatrix out(x.rows, outputs);
    hs::Workspace workspace;
    fc.forward(x.view(), rows, out.view(), engine, workspace, epilogue);
    return out;
  }
};

/// `(K + 8) 2^-24` times the sum of the sizes of all terms, with the weights and inputs of `w` and `x`: the bound of
/// `FakeQuantizedEngine`.
double worst_over_bound(const Layer& layer, const FloatMatrix& integer, const FloatMatrix& fake) {
  const hs::MatrixF weight = hs::decode_packed(layer.weight());
  return difference_over_bound(integer.view(), fake.view(), layer.x.view(), hs::view(weight), layer.fc.bias);
}

}  // namespace

TEST_CASE("inputs that stay float meet the values of the codes", "[input_rule]") {
  const Layer layer(hs::Activation::kept_in_float());
  hs::IntegerEngine integer(layer.specs);
  const hs::MatrixF expected =
      hs::matmul(layer.x.view(), layer.weight(),
                 {.activation = hs::Activation::kept_in_float(), .bias = layer.fc.bias, .epilogue = hs::Silu{}});
  CHECK(first_difference(layer.run(integer, hs::Silu{}).view(), hs::view(expected)) == "");
  CHECK(integer.float_products().empty());
  hs::ThreadPool pool(3);
  hs::IntegerEngine threaded(layer.specs, pool);
  CHECK(first_difference(layer.run(threaded, hs::Silu{}).view(), hs::view(expected)) == "");

  hs::FakeQuantizedEngine fake(layer.specs, hs::eigen_product);
  const FloatMatrix found = layer.run(integer), other = layer.run(fake);
  CAPTURE(worst_over_bound(layer, found, other));
  CHECK(worst_over_bound(layer, found, other) <= 1);
  PairedEngine paired(layer.specs, hs::eigen_product);
  static_cast<void>(layer.run(paired));
  CHECK(paired.worst() <= 1);
}

TEST_CASE("a warm engine allocates nothing for inputs that stay float or are transformed", "[input_rule]") {
  const auto copy = [](hs::MatrixView<const float> x, hs::MatrixView<float> out) {
    for (hs::Index r = 0; r < x.rows; ++r) std::copy_n(x.row(r), x.cols, out.row(r));
  };
  for (const Layer& layer : {Layer(hs::Activation::kept_in_float()), Layer(hs::Activation::kept_in_float(), copy),
                             Layer(hs::Activation(), copy)}) {
    hs::IntegerEngine engine(layer.specs);
    hs::Workspace workspace;
    FloatMatrix out(layer.x.rows, outputs);
    const auto run = [&] { layer.fc.forward(layer.x.view(), rows, out.view(), engine, workspace); };
    run();
    CHECK(allocations_of(run) == 0);
  }
}

TEST_CASE("inputs are transformed before they are encoded, on both engines", "[input_rule]") {
  const auto halve = [](hs::MatrixView<const float> x, hs::MatrixView<float> out) {
    for (hs::Index r = 0; r < x.rows; ++r) {
      for (hs::Index c = 0; c < x.cols; ++c) out(r, c) = x(r, x.cols - 1 - c) * 0.5f;
    }
  };
  for (const hs::InputRule& rule : {hs::InputRule(hs::Activation()), hs::InputRule(hs::Activation::kept_in_float())}) {
    const Layer transformed(rule, halve);
    Layer plain(rule);
    FloatMatrix x(plain.x.rows, inputs);
    halve(plain.x.view(), x.view());
    plain.x = x;
    hs::IntegerEngine first(transformed.specs), second(plain.specs);
    CHECK(first_difference(transformed.run(first, hs::Gelu{}).view(), plain.run(second, hs::Gelu{}).view()) == "");
    hs::FakeQuantizedEngine third(transformed.specs, hs::plain_product), fourth(plain.specs, hs::plain_product);
    CHECK(first_difference(transformed.run(third, hs::Gelu{}).view(), plain.run(fourth, hs::Gelu{}).view()) == "");
  }
}

TEST_CASE("split inputs become codes and outlier columns, sequence by sequence", "[input_rule]") {
  for (const hs::OutlierWeights weights : {hs::OutlierWeights::floats, hs::OutlierWeights::codes}) {
    const Layer layer(hs::SplitInput{.threshold = 6, .outlier_weights = weights});
    hs::IntegerEngine integer(layer.specs);
    const FloatMatrix found = layer.run(integer);
    for (const hs::Index first : {hs::Index{0}, rows}) {
      const hs::SplitMatrix x = hs::split(layer.x.view().row_range(first, rows), {.threshold = 6});
      CHECK(x.columns().size() == 1);
      const bool floats = weights == hs::OutlierWeights::floats;
      const hs::MatrixF expected = hs::split_matmul(
          x, layer.weight(),
          {.float_weight = floats ? layer.fc.weight_view() : hs::MatrixView<const float>(), .bias = layer.fc.bias});
      CHECK(first_difference(found.view().row_range(first, rows), hs::view(expected)) == "");
    }
    const FloatMatrix relu = layer.run(integer, hs::Relu{});
    for (std::size_t i = 0; i < relu.values.size(); ++i) CHECK(relu.values[i] == std::max(found.values[i], 0.0f));
    hs::ThreadPool pool(3);
    hs::IntegerEngine threaded(layer.specs, pool);
    CHECK(first_difference(layer.run(threaded).view(), found.view()) == "");

    // Codes differ from x by half a step, 1/254 of the row's largest, which the bound's sum of sizes does not see; the
    // outliers' own weights differ from decoded ones by half of theirs. Both are far below the sizes themselves.
    hs::FakeQuantizedEngine fake(layer.specs, hs::eigen_product);
    const FloatMatrix other = layer.run(fake);
    CAPTURE(worst_over_bound(layer, found, other));
    CHECK(worst_over_bound(layer, found, other) <= 1.25);
    CHECK(first_difference(other.view(), found.view()) != "");
  }
}

TEST_CASE("the two sources of outlier weights differ", "[input_rule]") {
  const Layer floats(hs::SplitInput{.outlier_weights = hs::OutlierWeights::floats}),
      codes(hs::SplitInput{.outlier_weights = hs::OutlierWeights::codes});
  hs::IntegerEngine first(floats.specs), second(codes.specs);
  CHECK(first_difference(floats.run(first).view(), codes.run(second).view()) != "");
}

TEST_CASE("an input that is split takes no transform", "[input_rule]") {
  const auto copy = [](hs::MatrixView<const float>, hs::MatrixView<float>) {};
  CHECK_RAISES(Layer(hs::SplitInput{}, copy), "input of \"fc\" is split, and has a transform: expected one of them");
}
