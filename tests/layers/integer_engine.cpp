#include "halfstep/layers/integer_engine.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/quantized_block.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// One linear site and one attention site, with operands.
struct Products {
  hs::SiteList sites;
  hs::Linear fc = random_linear(sites, "fc", 70, 37, 310);
  hs::Site qk = sites.add_attention("qk", 2);
  hs::SiteSpecs specs{sites};
  FloatMatrix x = random_matrix(9, 37, 311), keys = random_matrix(11, 37, 312);

  Products() {
    specs.set("fc", linear_spec<5, 8>(fc));
    specs.set("qk", hs::AttentionSpec{{hs::Uniform<8>::fit({-2, 3}), hs::Uniform<3>::fit({-2, 2})},
                                      {hs::Uniform<6>::fit({-3, 3})}});
  }

  [[nodiscard]] FloatMatrix linear(hs::Engine& engine, hs::Epilogue epilogue = {}) const {
    FloatMatrix out(x.rows, 70);
    hs::Workspace workspace;
    fc.forward(x.view(), x.rows, out.view(), engine, workspace, epilogue);
    return out;
  }
  [[nodiscard]] FloatMatrix attention(hs::Engine& engine, hs::Index part) const {
    FloatMatrix out(x.rows, keys.rows);
    hs::Workspace workspace;
    engine.multiply(hs::AttentionProduct{qk, part, x.view(), keys.view(), out.view()}, workspace);
    return out;
  }
};

/// The value of x as codes have it.
template <int Bits>
double decoded(const hs::Uniform<Bits>& q, float x) {
  return static_cast<double>(q.decode(q.encode(x)));
}

/// A sum of products of decoded values, in double, is what the integer product rounds three times: to float, by the
/// product of the scales, by the product with it. A decoded value itself is rounded, so two more; one for a bias.
constexpr double roundings = 6;

}  // namespace

TEST_CASE("IntegerEngine multiplies what the quantizers' codes stand for", "[integer_engine]") {
  const Products p;
  hs::IntegerEngine engine(p.specs);
  const FloatMatrix y = p.linear(engine), relu = p.linear(engine, hs::Relu{});
  const auto input = hs::Uniform<8>::fit({-4.0f, 4.0f});
  for (hs::Index n = 0; n < 70; ++n) {
    const float* weight = p.fc.weight_view().row(n);
    const auto [low, high] = std::minmax_element(weight, weight + 37);
    const auto row = hs::Uniform<5>::fit({*low, *high});
    for (hs::Index m = 0; m < p.x.rows; ++m) {
      double sum = static_cast<double>(p.fc.bias[static_cast<std::size_t>(n)]), size = std::fabs(sum);
      for (hs::Index k = 0; k < 37; ++k) {
        const double term = decoded(input, p.x(m, k)) * decoded(row, weight[k]);
        sum += term;
        size += std::fabs(term);
      }
      CHECK(std::fabs(static_cast<double>(y(m, n)) - sum) <= roundings * std::ldexp(size, -24));
      CHECK(relu(m, n) == std::max(y(m, n), 0.0f));
    }
  }
}

TEST_CASE("IntegerEngine encodes each head by its own rule", "[integer_engine]") {
  const Products p;
  hs::IntegerEngine engine(p.specs);
  const auto first = hs::Uniform<8>::fit({-2, 3});
  const auto second = hs::Uniform<3>::fit({-2, 2});
  const auto key = hs::Uniform<6>::fit({-3, 3});
  for (const hs::Index part : {0, 1}) {
    const FloatMatrix scores = p.attention(engine, part);
    for (hs::Index m = 0; m < p.x.rows; ++m) {
      for (hs::Index n = 0; n < p.keys.rows; ++n) {
        double sum = 0, size = 0;
        for (hs::Index k = 0; k < 37; ++k) {
          const float x = p.x(m, k);
          const double term = (part == 0 ? decoded(first, x) : decoded(second, x)) * decoded(key, p.keys(n, k));
          sum += term;
          size += std::fabs(term);
        }
        CAPTURE(part, m, n);
        CHECK(std::fabs(static_cast<double>(scores(m, n)) - sum) <= roundings * std::ldexp(size, -24));
      }
    }
  }
}

TEST_CASE("IntegerEngine multiplies nothing in float where every site is specified", "[integer_engine]") {
  const QuantizedBlock q;
  const FloatMatrix x = random_matrix(2 * QuantizedBlock::tokens, QuantizedBlock::dim, 320);
  const auto refuse = [](hs::MatrixView<const float>, hs::MatrixView<const float>, hs::MatrixView<float>) {
    FAIL("a float product");
  };
  hs::IntegerEngine engine(q.specs, {}, refuse);
  static_cast<void>(q.run(x, engine));
  CHECK(engine.float_products().empty());
}

TEST_CASE("IntegerEngine counts the float products of each site that stays float", "[integer_engine]") {
  QuantizedBlock q;
  q.specs.set("attn.av", hs::FloatSpec{});
  q.specs.set("mlp.fc2", hs::FloatSpec{});
  CHECK_RAISES(hs::IntegerEngine(q.specs), "site \"attn.av\" stays float: a float_product is needed");

  const FloatMatrix x = random_matrix(4 * QuantizedBlock::tokens, QuantizedBlock::dim, 321);
  hs::ThreadPool pool(3);
  hs::IntegerEngine engine(q.specs, pool, hs::plain_product);
  CHECK(engine.float_products().empty());
  // Four images of three heads; one call of a linear layer, whatever the images.
  const std::vector<hs::SiteCount> once{{"attn.av", 12}, {"mlp.fc2", 1}}, twice{{"attn.av", 24}, {"mlp.fc2", 2}};
  const FloatMatrix y = q.run(x, engine);
  CHECK(engine.float_products() == once);
  CHECK(first_difference(q.run(x, engine).view(), y.view()) == "");
  CHECK(engine.float_products() == twice);

  // The float product of these sites is the model's own, of unrounded operands.
  hs::FloatEngine floats(hs::plain_product);
  const FloatMatrix hidden = random_matrix(5, QuantizedBlock::hidden, 322);
  FloatMatrix found(5, QuantizedBlock::dim), expected(5, QuantizedBlock::dim);
  hs::Workspace workspace;
  q.block.mlp.fc2.forward(hidden.view(), 5, found.view(), engine, workspace);
  q.block.mlp.fc2.forward(hidden.view(), 5, expected.view(), floats, workspace);
  CHECK(first_difference(found.view(), expected.view()) == "");
}

TEST_CASE("IntegerEngine gives an image the same bytes alone, in a batch and on threads", "[integer_engine]") {
  const QuantizedBlock q;
  constexpr hs::Index images = 8, tokens = QuantizedBlock::tokens;
  const FloatMatrix x = random_matrix(images * tokens, QuantizedBlock::dim, 323);
  hs::IntegerEngine serial(q.specs);
  const FloatMatrix together = q.run(x, serial);
  CHECK(first_difference(together.view(), x.view()) != "");
  for (hs::Index i = 0; i < images; ++i) {
    FloatMatrix one(tokens, QuantizedBlock::dim);
    std::copy_n(x.view().row(i * tokens), one.values.size(), one.values.begin());
    CAPTURE(i);
    CHECK(first_difference(q.run(one, serial).view(), together.view().row_range(i * tokens, tokens)) == "");
  }
  for (const int threads : {1, 2, 3}) {
    hs::ThreadPool pool(threads);
    hs::IntegerEngine threaded(q.specs, pool);
    CHECK(threaded.executor().concurrency() == threads);
    CAPTURE(threads);
    CHECK(first_difference(q.run(x, threaded).view(), together.view()) == "");
  }
  BackwardsExecutor backwards;
  hs::IntegerEngine reversed(q.specs, backwards);
  CHECK(first_difference(q.run(x, reversed).view(), together.view()) == "");
}

TEST_CASE("IntegerEngine gives rows of NaN for rows that are not finite, and leaves the others", "[integer_engine]") {
  const Products clean;
  hs::IntegerEngine engine(clean.specs);
  const FloatMatrix y = clean.linear(engine, hs::Relu{}), scores = clean.attention(engine, 0);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    Products broken;
    broken.x.view()(4, 36) = bad;
    broken.keys.view()(2, 0) = bad;
    const FloatMatrix found = broken.linear(engine, hs::Relu{}), found_scores = broken.attention(engine, 0);
    CAPTURE(bad);
    for (hs::Index m = 0; m < 9; ++m) {
      for (hs::Index n = 0; n < 70; ++n) CHECK((m == 4 ? std::isnan(found(m, n)) : found(m, n) == y(m, n)));
      for (hs::Index n = 0; n < 11; ++n) {
        CHECK((m == 4 || n == 2 ? std::isnan(found_scores(m, n)) : found_scores(m, n) == scores(m, n)));
      }
    }
  }
}

TEST_CASE("a warm IntegerEngine allocates nothing", "[integer_engine]") {
  const QuantizedBlock q;
  const FloatMatrix x = random_matrix(2 * QuantizedBlock::tokens, QuantizedBlock::dim, 324);
  FloatMatrix y = x;
  hs::IntegerEngine engine(q.specs);
  hs::RunWorkspace workspace;
  const auto run = [&] { q.block.forward(y.view(), QuantizedBlock::tokens, engine, workspace); };
  run();
  CHECK(allocations_of(run) == 0);
}

TEST_CASE("IntegerEngine refuses specifications with a site missing", "[integer_engine]") {
  const QuantizedBlock q;
  hs::SiteSpecs specs(q.sites);
  specs.set("attn.qkv", q.specs.at(q.sites.at("attn.qkv")));
  CHECK_RAISES(hs::IntegerEngine(specs), "site \"attn.qk\" has no specification");
}
