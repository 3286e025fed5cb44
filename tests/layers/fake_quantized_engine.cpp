#include "halfstep/layers/fake_quantized_engine.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "support/catch.hpp"
#include "support/quantized_block.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("FakeQuantizedEngine multiplies decoded codes in float", "[fake_quantized_engine]") {
  hs::SiteList sites;
  const hs::Linear fc = random_linear(sites, "fc", 6, 37, 330);
  hs::SiteSpecs specs(sites);
  specs.set("fc", linear_spec<4, 5>(fc));
  const FloatMatrix x = random_matrix(3, 37, 331);
  FloatMatrix found(3, 6), expected(3, 6), decoded_x(3, 37), decoded_w(6, 37);
  const auto input = hs::Uniform<5>::fit({-4.0f, 4.0f});
  for (std::size_t i = 0; i < x.values.size(); ++i) decoded_x.values[i] = input.decode(input.encode(x.values[i]));
  for (hs::Index n = 0; n < 6; ++n) {
    const float* row = fc.weight_view().row(n);
    const auto [low, high] = std::minmax_element(row, row + 37);
    const auto q = hs::Uniform<4>::fit({*low, *high});
    for (hs::Index k = 0; k < 37; ++k) decoded_w.view()(n, k) = q.decode(q.encode(row[k]));
  }
  hs::plain_product(decoded_x.view(), decoded_w.view(), expected.view());
  hs::apply_bias_and_epilogue(expected.view(), fc.bias, hs::Relu{});

  hs::FakeQuantizedEngine engine(specs, hs::plain_product);
  hs::Workspace workspace;
  fc.forward(x.view(), 3, found.view(), engine, workspace, hs::Relu{});
  CHECK(first_difference(found.view(), expected.view()) == "");
}

TEST_CASE("each product agrees with IntegerEngine's within the bound", "[fake_quantized_engine]") {
  const QuantizedBlock q;
  for (const std::uint32_t seed : {340u, 341u, 342u}) {
    for (const hs::FloatProduct product : {hs::FloatProduct(hs::plain_product), hs::FloatProduct(hs::eigen_product)}) {
      PairedEngine engine(q.specs, product);
      static_cast<void>(q.run(random_matrix(2 * QuantizedBlock::tokens, QuantizedBlock::dim, seed), engine));
      CAPTURE(seed, engine.worst());
      CHECK(engine.products() == 4 + 2 * 2 * QuantizedBlock::heads);
      CHECK(engine.worst() <= 1);
      CHECK(engine.worst() > 0);  // two different products: to the bit they do not agree
      CHECK(engine.integer().float_products().empty());
    }
  }
}

TEST_CASE("each product agrees with IntegerEngine's for any K, and for rows with ranges of their own",
          "[fake_quantized_engine]") {
  for (const hs::Index k : {1, 2, 63, 64, 65, 700}) {
    hs::SiteList sites;
    const hs::Linear fc = random_linear(sites, "fc", 5, k, 350);
    hs::SiteSpecs specs(sites);
    hs::LinearSpec spec = linear_spec<8, 8>(fc);
    spec.input = hs::Activation::per_token<hs::Uniform<8>>();
    specs.set("fc", spec);
    PairedEngine engine(specs, hs::eigen_product);
    const FloatMatrix x = random_matrix(7, k, 351, 3.0f, 1.0f);
    FloatMatrix out(7, 5);
    hs::Workspace workspace;
    fc.forward(x.view(), 7, out.view(), engine, workspace);
    CAPTURE(k, engine.worst());
    CHECK(engine.worst() <= 1);
  }
}

TEST_CASE("FakeQuantizedEngine runs sites that stay float in float", "[fake_quantized_engine]") {
  QuantizedBlock q;
  for (const hs::Site& site : q.sites.all()) q.specs.set(site.name, hs::FloatSpec{});
  const FloatMatrix x = random_matrix(2 * QuantizedBlock::tokens, QuantizedBlock::dim, 360);
  hs::FakeQuantizedEngine fake(q.specs, hs::plain_product);
  hs::FloatEngine floats(hs::plain_product);
  CHECK(first_difference(q.run(x, fake).view(), q.run(x, floats).view()) == "");

  const QuantizedBlock whole;
  hs::FakeQuantizedEngine quantized(whole.specs, hs::plain_product);
  CHECK(first_difference(whole.run(x, quantized).view(), q.run(x, floats).view()) != "");
}

TEST_CASE("FakeQuantizedEngine gives an image the same bytes alone, in a batch and on threads",
          "[fake_quantized_engine]") {
  const QuantizedBlock q;
  constexpr hs::Index images = 8, tokens = QuantizedBlock::tokens;
  const FloatMatrix x = random_matrix(images * tokens, QuantizedBlock::dim, 361);
  hs::FakeQuantizedEngine serial(q.specs, hs::eigen_product);
  const FloatMatrix together = q.run(x, serial);
  for (hs::Index i = 0; i < images; ++i) {
    FloatMatrix one(tokens, QuantizedBlock::dim);
    std::copy_n(x.view().row(i * tokens), one.values.size(), one.values.begin());
    CAPTURE(i);
    CHECK(first_difference(q.run(one, serial).view(), together.view().row_range(i * tokens, tokens)) == "");
  }
  for (const int threads : {1, 2, 3}) {
    hs::ThreadPool pool(threads);
    hs::FakeQuantizedEngine threaded(q.specs, hs::eigen_product, {.executor = pool});
    CHECK(threaded.executor().concurrency() == threads);
    CAPTURE(threads);
    CHECK(first_difference(q.run(x, threaded).view(), together.view()) == "");
  }
}

TEST_CASE("FakeQuantizedEngine gives NaN where IntegerEngine does", "[fake_quantized_engine]") {
  const QuantizedBlock q;
  constexpr hs::Index tokens = QuantizedBlock::tokens, dim = QuantizedBlock::dim;
  hs::IntegerEngine integer(q.specs);
  hs::FakeQuantizedEngine fake(q.specs, hs::plain_product);
  hs::Workspace workspace;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    FloatMatrix x = random_matrix(tokens, dim, 362), values = random_matrix(tokens, 16, 363);
    x.view()(3, 7) = bad;
    FloatMatrix a(tokens, 3 * dim), b(tokens, 3 * dim);
    q.block.attn.qkv.forward(x.view(), tokens, a.view(), integer, workspace);
    q.block.attn.qkv.forward(x.view(), tokens, b.view(), fake, workspace);
    CAPTURE(bad);
    for (hs::Index r = 0; r < tokens; ++r) {
      for (hs::Index c = 0; c < 3 * dim; ++c) {
        CHECK(std::isnan(a(r, c)) == (r == 3));
        CHECK(std::isnan(b(r, c)) == (r == 3));
      }
    }

    // One probability and one value: a row and a column of the product.
    FloatMatrix p(tokens, tokens), c(tokens, 16), d(tokens, 16);
    for (float& value : p.values) value = 1.0f / static_cast<float>(tokens);
    p.view()(5, 0) = bad;
    values.view()(2, 9) = bad;
    const auto product = [&](FloatMatrix& out) {
      return hs::AttentionProduct{q.block.attn.av, 1, p.view(), hs::transposed(std::as_const(values).view()),
                                  out.view()};
    };
    integer.multiply(product(c), workspace);
    fake.multiply(product(d), workspace);
    for (hs::Index r = 0; r < tokens; ++r) {
      for (hs::Index n = 0; n < 16; ++n) {
        CHECK(std::isnan(c(r, n)) == (r == 5 || n == 9));
        CHECK(std::isnan(d(r, n)) == (r == 5 || n == 9));
      }
    }
  }
}

TEST_CASE("FakeQuantizedEngine refuses specifications with a site missing", "[fake_quantized_engine]") {
  const QuantizedBlock q;
  CHECK_RAISES(hs::FakeQuantizedEngine(hs::SiteSpecs(q.sites), hs::plain_product),
               "site \"attn.qkv\" has no specification");
}
