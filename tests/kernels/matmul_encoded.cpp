#include "halfstep/kernels/matmul_encoded.hpp"

#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

hs::PackedMatrix weight(hs::Index rows, hs::Index cols) {
  return hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(rows, cols, 51), {.tiling = hs::per_group(32)}));
}

/// Rules that the product may be encoded by: one plane as it is, one that is looked up, two, and per token.
std::vector<hs::Activation> next_activations() {
  return {hs::Uniform<8>{0.1f, 120},
          hs::Uniform<4>{1.0f, 8},
          SqrtQuantizer<4>{0.3f},
          PowerQuantizer<4>{20.0f},
          EvenOddQuantizer<4>{0.7f, -3.0f},
          hs::Activation(),
          hs::Activation::per_token<hs::Uniform<5>>(hs::Symmetry::symmetric)};
}

}  // namespace

TEST_CASE("a requantizing product gives the codes of the float product", "[matmul_encoded]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards(4);
  const hs::PackedMatrix w = weight(150, 70);
  const std::vector<float> bias = random_matrix(1, 150, 52).values;
  for (const hs::Index tokens : {0, 1, 7, 64, 300}) {
    const hs::MatrixF x = random_eigen(tokens, 70, 53), residual = random_eigen(tokens, 150, 54);
    for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
      const hs::MatmulOptions options{.bias = bias,
                                      .epilogue = hs::Gelu{},
                                      .residual = hs::view(residual),
                                      .executor = executor,
                                      .blocking = {50, 32}};
      const hs::MatrixF y = hs::matmul(x, w, options);
      for (const hs::Activation& next : next_activations()) {
        for (const hs::Index group : {0, 16, 19}) {
          REQUIRE(hs::matmul_encoded(x, w, options, next, group) == hs::encode(y, next, group));
        }
        REQUIRE(hs::matmul_encoded(hs::encode(x, hs::Activation()), w, options, next) == hs::encode(y, next));
      }
    }
  }
}

TEST_CASE("more than a thousand rows", "[matmul_encoded]") {
  const hs::MatrixF x = random_eigen(1100, 40, 55);
  const hs::PackedMatrix w = weight(20, 40);
  const hs::MatrixF y = hs::matmul(x, w);
  CHECK(hs::matmul_encoded(x, w, {}, hs::Activation()) == hs::encode(y, hs::Activation()));
  CHECK(hs::matmul_encoded(x, w, {}, hs::Uniform<8>{0.1f, 128}) == hs::encode(y, hs::Uniform<8>{0.1f, 128}));
}

TEST_CASE("two products in a chain never see a float matrix", "[matmul_encoded]") {
  const hs::MatrixF x = random_eigen(9, 70, 56);
  const hs::PackedMatrix first = weight(100, 70), second = weight(33, 100);
  const hs::Activation next = hs::Uniform<8>{0.1f, 128};
  const hs::MatrixF y = hs::matmul(hs::matmul_encoded(x, first, {}, next, second.layout().group), second);
  CHECK(difference(y, hs::matmul(hs::matmul(x, first), second, {.activation = next})) == "");
}

TEST_CASE("a row that is not finite is an error that names it", "[matmul_encoded]") {
  hs::MatrixF x = random_eigen(1100, 70, 57);
  const hs::PackedMatrix w = weight(100, 70);
  hs::ThreadPool pool(3);
  for (const hs::Activation& next : {hs::Activation(hs::Uniform<8>{0.1f, 128}), hs::Activation()}) {
    for (const hs::Index bad : {1099, 700, 3}) {  // the lowest is named
      x(bad, 5) = std::numeric_limits<float>::infinity();
      const std::string expected = hs::concat("halfstep: matmul_encoded: row ", bad, " of the product is not finite");
      CHECK_RAISES(hs::matmul_encoded(x, w, {}, next), expected);
      CHECK_RAISES(hs::matmul_encoded(x, w, {.executor = pool}, next), expected);
    }
    for (const hs::Index bad : {1099, 700, 3}) x(bad, 5) = 0;
  }
}

TEST_CASE("memory is used again", "[matmul_encoded]") {
  const hs::MatrixF x = random_eigen(64, 70, 58);
  const hs::PackedMatrix w = weight(100, 70);
  hs::EncodedMatrix out;
  hs::Workspace workspace;
  const hs::Activation next = hs::Uniform<8>{0.1f, 128}, per_token;
  for (const hs::Activation* rule : {&next, &per_token}) {
    hs::matmul_encoded_into(x, w, out, workspace, {}, *rule);
    CHECK(allocations_of([&] { hs::matmul_encoded_into(x, w, out, workspace, {}, *rule); }) == 0);
  }
}

TEST_CASE("requantizing products refuse what does not fit", "[matmul_encoded]") {
  const hs::PackedMatrix w = weight(10, 10);
  hs::Workspace workspace;
  CHECK_RAISES(hs::matmul_encoded(random_eigen(3, 7, 1), w, {}, hs::Activation()),
               "halfstep: matmul_encoded: x has 7 columns, packed weight expects 10");
  hs::EncodedMatrix x = hs::encode(random_eigen(3, 10, 1), hs::Activation());
  CHECK_RAISES(hs::matmul_encoded_into(x, w, x, workspace, {}, hs::Activation()), "out is x itself");
}
