// Products of activations that are kept in float, through `matmul`.

#include "halfstep/kernels/float_block.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_encoded.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
hs::PackedMatrix packed_small(hs::Index rows, hs::Index cols, const hs::Tiling& tiling) {
  return hs::pack(hs::quantize<Q>(random_eigen(rows, cols, 31, 1, 0.2f), {.tiling = tiling}));
}

const hs::Activation& floats() {
  static const hs::Activation kept = hs::Activation::kept_in_float();
  return kept;
}

}  // namespace

TEST_CASE("every shape of floats, and a row gives the same bytes among any others", "[float_block]") {
  const std::vector<hs::Index> ragged{0, 1, 3, 15, 16, 17, 63, 64, 65, 257};
  int turn = 0;
  for (const hs::Index cols : ragged) {
    const hs::MatrixF x = random_eigen(70, cols, 35, 1, 0.3f);
    for (const hs::Index rows : ragged) {
      const hs::PackedMatrix w = turn % 4 == 0   ? packed_small<hs::Uniform<8>>(rows, cols, hs::per_row())
                                 : turn % 4 == 1 ? packed_small<hs::Uniform<3>>(rows, cols, hs::per_group(19))
                                 : turn % 4 == 2 ? packed_small<hs::Fp8E4M3>(rows, cols, hs::per_row())
                                                 : packed_small<hs::MXFP8E5M2>(rows, cols, hs::per_group(32));
      ++turn;
      const hs::MatrixF expected = hs::reference_float_product(hs::view(x), w);
      for (const hs::Index tokens : {0, 1, 2, 5, 6, 7, 14, 15, 70}) {
        CAPTURE(tokens, rows, cols);
        const hs::Index first = (70 - tokens) / 2;
        const hs::MatrixF y = hs::matmul(x.middleRows(first, tokens), w, {.activation = floats()});
        REQUIRE(difference(y, expected.middleRows(first, tokens)) == "");
      }
    }
  }
}

TEST_CASE("threads and blocking do not show", "[float_block]") {
  const hs::MatrixF x = random_eigen(150, 300, 36, 1, 0.3f);
  hs::ThreadPool two(2), three(3), eight(8);
  BackwardsExecutor backwards(5);
  for (const hs::PackedMatrix& w :
       {packed_small<hs::Uniform<4>>(200, 300, hs::per_group(64)), packed_small<hs::Fp8E5M2>(200, 300, hs::per_row()),
        packed_small<hs::Uniform<5>>(200, 300, hs::per_group(19))}) {
    const hs::MatrixF expected = hs::reference_float_product(hs::view(x), w);
    for (const hs::ExecutorRef& executor : std::vector<hs::ExecutorRef>{{}, two, three, eight, backwards}) {
      CHECK(difference(hs::matmul(x, w, {.activation = floats(), .executor = executor}), expected) == "");
    }
    for (const hs::Blocking blocking : {hs::Blocking{1, 16}, {5, 48}, {7, 65536}, {64, 320}, {150, 112}}) {
      CHECK(difference(hs::matmul(x, w, {.activation = floats(), .blocking = blocking}), expected) == "");
      const hs::MatmulOptions threaded{.activation = floats(), .executor = three, .blocking = blocking};
      CHECK(difference(hs::matmul(x, w, threaded), expected) == "");
    }
  }
}

TEST_CASE("FP8 weights keep activations in float by themselves", "[float_block]") {
  const hs::MatrixF x = random_eigen(9, 70, 38), w = random_eigen(40, 70, 39);
  const auto quantized = hs::quantize<hs::Fp8E4M3>(w, {.tiling = hs::per_row()});
  const hs::PackedMatrix p = hs::pack(quantized);
  CHECK(p.needs_floats());
  CHECK(p.storage() == hs::WeightStorage::minifloats);
  CHECK(difference(hs::matmul(x, p), hs::reference_float_product(hs::view(x), p)) == "");
  CHECK_RAISES(hs::matmul(x, p, {.activation = hs::Uniform<8>{0.1f, 128}}), "meet float activations only");
  CHECK_RAISES(hs::matmul(hs::encode(x, hs::Activation()), p), "x is encoded");
  CHECK_RAISES(hs::encode(x, floats()), "keeps floats");
  CHECK_RAISES(hs::matmul_encoded(x, p, {}, floats()), "next keeps floats");
  CHECK_RAISES(hs::split_matmul(hs::split(x, {}), p), "x is encoded");
}

TEST_CASE("any storage order, stride, alignment and element type of floats", "[float_block]") {
  const hs::MatrixF x = random_eigen(9, 70, 38);
  const hs::PackedMatrix w = packed_small<hs::Uniform<4>>(100, 70, hs::per_group(32));
  const hs::MatmulOptions options{.activation = floats()};
  const hs::MatrixF expected = hs::matmul(x, w, options);
  CHECK(difference(hs::matmul(ColumnMajorF(x), w, options), expected) == "");
  CHECK(difference(hs::matmul(hs::MatrixD(x.cast<double>()), w, options), expected) == "");
  hs::MatrixF wide = hs::MatrixF::Constant(20, 150, 1e9f);
  wide.block(2, 3, 9, 70) = x;
  CHECK(difference(hs::matmul(wide.block(2, 3, 9, 70), w, options), expected) == "");
  const hs::PackedMatrix dealt = packed_small<hs::Uniform<4>>(100, 70, dealt_columns(70, 16));
  CHECK(difference(hs::matmul(x, dealt, options), hs::reference_float_product(hs::view(x), dealt)) == "");
}

TEST_CASE("bias, function, residual and codes of the next layer", "[float_block]") {
  const hs::MatrixF x = random_eigen(9, 70, 40), residual = random_eigen(9, 100, 41);
  const Eigen::VectorXf bias = random_eigen(1, 100, 42).row(0).transpose();
  const hs::PackedMatrix w = packed_small<hs::Uniform<4>>(100, 70, hs::per_group(32));
  const hs::MatrixF sums = hs::matmul(x, w, {.activation = floats()});
  const hs::MatmulOptions options{
      .activation = floats(), .bias = bias, .epilogue = hs::Silu{}, .residual = hs::view(residual)};
  const hs::MatrixF y = hs::matmul(x, w, options);
  for (hs::Index m = 0; m < 9; ++m) {
    for (hs::Index n = 0; n < 100; ++n) {
      REQUIRE(y(m, n) == hs::apply_epilogue(hs::Epilogue::Kind::silu, sums(m, n) + bias[n]) + residual(m, n));
    }
  }
  for (const hs::Activation& next : {hs::Activation(), hs::Activation(hs::Uniform<8>{0.3f, 128})}) {
    const hs::EncodedMatrix encoded = hs::matmul_encoded(x, w, options, next, 32);
    const hs::EncodedMatrix expected = hs::encode(y, next, 32);
    for (hs::Index m = 0; m < 9; ++m) {
      for (hs::Index n = 0; n < 100; ++n) REQUIRE(encoded.value(m, n) == expected.value(m, n));
    }
  }
}

TEST_CASE("what is not finite spreads as in IEEE arithmetic and leaves other rows alone", "[float_block]") {
  hs::MatrixF x = random_eigen(9, 70, 43);
  const hs::PackedMatrix w = packed_small<hs::Fp8E4M3>(20, 70, hs::per_row());
  const hs::MatrixF before = hs::matmul(x, w);
  x(2, 69) = std::numeric_limits<float>::quiet_NaN();
  x(5, 0) = std::numeric_limits<float>::infinity();
  const hs::MatrixF y = hs::matmul(x, w);
  for (hs::Index m = 0; m < 9; ++m) {
    for (hs::Index n = 0; n < 20; ++n) {
      if (m == 2) {
        CHECK(std::isnan(y(m, n)));
      } else if (m == 5) {
        CHECK(!std::isfinite(y(m, n)));
      } else {
        CHECK(y(m, n) == before(m, n));
      }
    }
  }
}

TEST_CASE("a warm workspace allocates nothing for floats", "[float_block]") {
  const hs::MatrixF x = random_eigen(64, 300, 44);
  const ColumnMajorF turned = x;
  hs::ThreadPool pool(3);
  const hs::PackedMatrix w = packed_small<hs::Uniform<4>>(200, 300, dealt_columns(300, 19));
  hs::MatrixF y(64, 200);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
    hs::Workspace workspace;
    const hs::MatmulOptions options{.activation = floats(), .executor = executor};
    hs::matmul_into(turned, w, y, workspace, options);
    CHECK(allocations_of([&] {
            hs::matmul_into(turned, w, y, workspace, options);
            hs::matmul_into(x.topRows(5), w, y.topRows(5), workspace, options);
          }) == 0);
  }
}
