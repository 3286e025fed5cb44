// Products against `reference_product`, bit for bit.

#include "halfstep/kernels/matmul.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "kernels/every_quantizer.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
hs::PackedMatrix packed(hs::Index rows, hs::Index cols, const hs::Tiling& tiling,
                        hs::Symmetry symmetry = hs::Symmetry::affine) {
  return hs::pack(hs::quantize<Q>(random_eigen(rows, cols, 31, 1, 0.2f), {.tiling = tiling, .symmetry = symmetry}));
}

hs::MatrixF reference(const hs::MatrixF& x, const hs::Activation& activation, const hs::PackedMatrix& w) {
  return hs::reference_product(hs::encode(x, activation), w);
}

/// The tilings of weights, for `cols` columns.
std::vector<hs::Tiling> weight_tilings(hs::Index cols) {
  return {hs::per_tensor(),  hs::per_row(),      hs::per_group(16),    hs::per_group(19),      hs::per_group(32),
          hs::per_group(64), hs::per_group(128), hs::per_row_block(5), dealt_columns(cols, 32)};
}

/// Products with one weight against the reference, for these activations.
void check_products(const hs::MatrixF& x, const hs::PackedMatrix& w, const std::vector<hs::Activation>& activations) {
  for (std::size_t i = 0; i < activations.size(); ++i) {
    CAPTURE(w.level_count(), w.layout().group, i);
    const hs::Activation& activation = activations[i];
    REQUIRE(difference(hs::matmul(x, w, {.activation = activation}), reference(x, activation, w)) == "");
  }
}

/// The same for activations that are kept in float.
void check_float_product(const hs::MatrixF& x, const hs::PackedMatrix& w, const hs::Activation& activation) {
  CAPTURE(w.level_count(), w.layout().group);
  REQUIRE(difference(hs::matmul(x, w, {.activation = activation}), hs::reference_float_product(hs::view(x), w)) == "");
}

}  // namespace

TEMPLATE_TEST_CASE("weights and activations of 2 to 8 bits, under every tiling, static and per token", "[matmul]",
                   hs::Uniform<2>, hs::Uniform<3>, hs::Uniform<4>, hs::Uniform<5>, hs::Uniform<6>, hs::Uniform<7>,
                   hs::Uniform<8>) {
  using Q = TestType;
  static const hs::MatrixF wide = random_eigen(7, 257, 32, 1, 0.3f), narrow = random_eigen(13, 100, 33, 1, 0.3f);
  static const hs::PackedMatrix nibbles = packed<hs::Uniform<4>>(17, 100, hs::per_group(32));
  static const hs::PackedMatrix bytes = packed<hs::Uniform<8>>(64, 100, hs::per_row());
  std::vector<hs::Activation> activations;
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    for (const hs::Tiling& tiling : weight_tilings(257)) {
      check_products(wide, packed<Q>(65, 257, tiling, symmetry),
                     {hs::Activation(), hs::Uniform<8>{0.02f, 128}, hs::Uniform<3>{0.5f, 2}});
    }
    activations.push_back(hs::Activation::per_token<Q>(symmetry));
    activations.emplace_back(hs::fit<Q>({-2, 3, 1}, symmetry));
  }
  check_products(narrow, nibbles, activations);
  check_products(narrow, bytes, activations);
}

TEST_CASE("every quantizer as weight and as activation", "[matmul]") {
  const hs::MatrixF x = random_eigen(7, 130, 34, 1, 0.3f), w = random_eigen(70, 130, 31, 1, 0.2f);
  for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(19), hs::per_group(64), dealt_columns(130, 16)}) {
    const hs::PackedMatrix uniform = packed<hs::Uniform<4>>(70, 130, tiling);
    for (const KernelQuantizer& quantizer : every_quantizer()) {
      INFO(quantizer.name);
      const hs::Activation& activation = quantizer.fitted.activation;
      check_products(x, uniform, {activation});
      if (!quantizer.is_weight) continue;
      const hs::PackedMatrix weight = quantizer.pack(w, {.tiling = tiling});
      check_float_product(x, weight, hs::Activation::kept_in_float());
      if (weight.needs_floats()) {
        check_float_product(x, weight, hs::Activation());
      } else {
        check_products(x, weight, {activation, hs::Activation(), PowerQuantizer<4>{2.0f}});
      }
    }
  }
}

TEST_CASE("every shape, and a row gives the same bytes among any others", "[matmul]") {
  const std::vector<hs::Index> ragged{0, 1, 3, 15, 16, 17, 63, 64, 65, 100, 257};
  constexpr hs::Index most_rows = 197;
  int turn = 0;
  for (const hs::Index cols : ragged) {
    const hs::MatrixF x = random_eigen(most_rows, cols, 35, 1, 0.3f);
    for (const hs::Index rows : ragged) {
      const hs::Activation activation = turn % 3 == 0 ? hs::Activation(hs::Uniform<8>{0.03f, 100}) : hs::Activation();
      const hs::PackedMatrix w = turn % 4 == 0   ? packed<hs::Uniform<8>>(rows, cols, hs::per_row())
                                 : turn % 4 == 1 ? packed<hs::Uniform<3>>(rows, cols, hs::per_group(19))
                                 : turn % 4 == 2 ? packed<SqrtQuantizer<4>>(rows, cols, hs::per_row())
                                                 : packed<hs::Uniform<4>>(rows, cols, hs::per_group(32));
      ++turn;
      const hs::MatrixF expected = reference(x, activation, w);
      for (const hs::Index tokens : {0, 1, 2, 5, 6, 7, 13, 64, 197}) {
        CAPTURE(tokens, rows, cols);
        const hs::Index first = (most_rows - tokens) / 2;
        const hs::MatrixF y = hs::matmul(x.middleRows(first, tokens), w, {.activation = activation});
        REQUIRE(difference(y, expected.middleRows(first, tokens)) == "");
      }
    }
  }
}

TEST_CASE("threads, blocking and tile kernel do not show", "[matmul]") {
  const hs::MatrixF x = random_eigen(150, 300, 36, 1, 0.3f);
  hs::ThreadPool two(2), three(3), eight(8);
  BackwardsExecutor backwards(5);
  FreshThreadsExecutor fresh(3);
  const std::vector<hs::ExecutorRef> executors{{}, two, three, eight, backwards, fresh};
  for (const hs::PackedMatrix& w :
       {packed<hs::Uniform<4>>(200, 300, hs::per_group(64)), packed<hs::Uniform<8>>(200, 300, hs::per_row()),
        packed<EvenOddQuantizer<4>>(200, 300, hs::per_group(100))}) {
    const hs::MatrixF expected = hs::matmul(x, w);
    CHECK(difference(expected.topRows(3), reference(x.topRows(3), hs::Activation(), w)) == "");
    for (const hs::ExecutorRef& executor : executors) {
      CHECK(difference(hs::matmul(x, w, {.executor = executor}), expected) == "");
    }
    for (const hs::Blocking blocking : {hs::Blocking{1, 16}, {5, 48}, {7, 65536}, {64, 32}, {150, 112}}) {
      CHECK(difference(hs::matmul(x, w, {.blocking = blocking}), expected) == "");
      CHECK(difference(hs::matmul(x, w, {.executor = three, .blocking = blocking}), expected) == "");
      CHECK(difference(hs::matmul(x, w, {.blocking = blocking, .tile = &hs::tile_generic}), expected) == "");
    }
  }
}

TEST_CASE("more than a thousand rows are encoded in parts", "[matmul]") {
  const hs::MatrixF x = random_eigen(2100, 33, 37);
  const hs::PackedMatrix w = packed<hs::Uniform<4>>(5, 33, hs::per_row());
  hs::ThreadPool pool(3);
  const hs::MatrixF expected = reference(x, hs::Activation(), w);
  CHECK(difference(hs::matmul(x, w), expected) == "");
  CHECK(difference(hs::matmul(x, w, {.executor = pool}), expected) == "");
}

TEST_CASE("long sums of extremes are exact", "[matmul]") {
  // 255 against -128 and 127 at every k: beyond int32 from K = 65794 on, and in 16-bit sums at once.
  for (const hs::Index k : {64, 65792, 65793, 65808, 70000, 140000}) {
    const hs::MatrixF x = hs::MatrixF::Constant(3, k, 255.0f);
    hs::MatrixF w = hs::MatrixF::Constant(17, k, -128.0f);
    w.row(3).setConstant(127.0f);
    const std::vector<hs::Uniform<8>> quantizers{{1, 128}};
    const hs::PackedMatrix signed_bytes = hs::pack(hs::quantize_with(w, quantizers));
    for (const hs::Blocking blocking : {hs::Blocking{}, hs::Blocking{256, 65536}}) {
      const hs::MatrixF y = hs::matmul(x, signed_bytes, {.activation = hs::Uniform<8>{1, 0}, .blocking = blocking});
      for (hs::Index n = 0; n < 17; ++n) {
        const double exact = 255.0 * (n == 3 ? 127 : -128) * static_cast<double>(k);
        CHECK(y(0, n) == static_cast<float>(exact));
        CHECK(y(2, n) == static_cast<float>(exact));
      }
    }
  }
  // The same through nibbles and two planes: every code 15 of 4 bits.
  const hs::Index k = 70000;
  const hs::MatrixF x = hs::MatrixF::Constant(1, k, 15.0f);
  const hs::PackedMatrix nibbles =
      hs::pack(hs::quantize_with(hs::MatrixF(hs::MatrixF::Constant(2, k, 225.0f)), std::vector{SqrtQuantizer<4>{1}}));
  const hs::MatrixF y = hs::matmul(x, nibbles, {.activation = hs::Uniform<4>{1, 0}});
  CHECK(y(0, 1) == static_cast<float>(15.0 * 225 * 70000));
}

TEST_CASE("any storage order, stride, alignment and element type", "[matmul]") {
  const hs::MatrixF x = random_eigen(9, 70, 38);
  const hs::PackedMatrix w = packed<hs::Uniform<4>>(100, 70, hs::per_group(32));
  const hs::MatrixF expected = hs::matmul(x, w);
  hs::Workspace workspace;

  CHECK(difference(hs::matmul(ColumnMajorF(x), w), expected) == "");
  CHECK(difference(hs::matmul(hs::MatrixD(x.cast<double>()), w), expected) == "");
  const hs::MatrixF turned = x.transpose();
  CHECK(difference(hs::matmul(hs::transposed(turned), w), expected) == "");
  hs::MatrixF wide = hs::MatrixF::Constant(20, 150, 1e9f);
  wide.block(2, 3, 9, 70) = x;
  CHECK(difference(hs::matmul(wide.block(2, 3, 9, 70), w), expected) == "");
  using HalfMatrix = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const HalfMatrix halves = x.cast<Eigen::half>();
  CHECK(difference(hs::matmul(halves, w), hs::matmul(hs::MatrixF(halves.cast<float>()), w)) == "");

  ColumnMajorF column_major(9, 100);
  hs::matmul_into(x, w, column_major, workspace);
  CHECK(difference(column_major, expected) == "");
  hs::MatrixF frame = hs::MatrixF::Constant(15, 130, -7.0f);
  hs::matmul_into(x, w, frame.block(3, 11, 9, 100), workspace);
  CHECK(difference(frame.block(3, 11, 9, 100), expected) == "");
  int untouched = 0;
  for (hs::Index i = 0; i < frame.size(); ++i) untouched += frame.data()[i] == -7.0f ? 1 : 0;
  CHECK(untouched == 15 * 130 - 9 * 100);
  std::vector<float> memory(9 * 500 + 1, -7.0f);
  hs::matmul_into(x, w, hs::MatrixView<float>(memory.data() + 1, 9, 100, 500, 3), workspace);
  CHECK(difference(hs::MatrixView<const float>(memory.data() + 1, 9, 100, 500, 3), expected) == "");
}

TEST_CASE("activations encoded before meet any weight", "[matmul]") {
  const hs::MatrixF x = random_eigen(9, 130, 39);
  hs::ThreadPool pool(2);
  for (const hs::Activation& activation : {hs::Activation(), hs::Activation(PowerQuantizer<4>{2.0f})}) {
    for (const hs::Tiling& tiling : weight_tilings(130)) {
      const hs::PackedMatrix w = packed<hs::Uniform<4>>(33, 130, tiling);
      const hs::MatrixF expected = reference(x, activation, w);
      for (const hs::Index group : {0, 16, 19, 64}) {
        const hs::EncodedMatrix encoded = hs::encode(x, activation, group);
        CHECK(difference(hs::matmul(encoded, w), expected) == "");
        CHECK(difference(hs::matmul(encoded, w, {.executor = pool}), expected) == "");
      }
    }
  }
}

TEST_CASE("bias, function and residual", "[matmul]") {
  const hs::MatrixF x = random_eigen(9, 70, 40), residual = random_eigen(9, 100, 41);
  const Eigen::VectorXf bias = random_eigen(1, 100, 42).row(0).transpose();
  const hs::PackedMatrix w = packed<hs::Uniform<4>>(100, 70, hs::per_group(32));
  const hs::MatrixF sums = reference(x, hs::Activation(), w);
  for (const hs::Epilogue function :
       {hs::Epilogue(), hs::Epilogue(hs::Relu{}), hs::Epilogue(hs::Gelu{}), hs::Epilogue(hs::Silu{})}) {
    const hs::MatrixF plain = hs::matmul(x, w, {.epilogue = function});
    const hs::MatrixF biased = hs::matmul(x, w, {.bias = bias, .epilogue = function});
    hs::MatrixF added = residual;  // in place: the residual is the output
    hs::Workspace workspace;
    hs::matmul_into(x, w, added, workspace, {.bias = bias, .epilogue = function, .residual = hs::view(added)});
    for (hs::Index m = 0; m < 9; ++m) {
      for (hs::Index n = 0; n < 100; ++n) {
        const float with_bias = hs::apply_epilogue(function.kind(), sums(m, n) + bias[n]);
        REQUIRE(plain(m, n) == hs::apply_epilogue(function.kind(), sums(m, n)));
        REQUIRE(biased(m, n) == with_bias);
        REQUIRE(added(m, n) == with_bias + residual(m, n));
      }
    }
  }
}

TEST_CASE("a row that is not finite gives a row of NaN and leaves the others alone", "[matmul]") {
  hs::MatrixF x = random_eigen(9, 70, 43);
  for (const hs::PackedMatrix& w :
       {packed<hs::Uniform<4>>(100, 70, hs::per_group(32)), packed<PowerQuantizer<4>>(100, 70, hs::per_row())}) {
    for (const hs::Activation& activation : {hs::Activation(), hs::Activation(hs::Uniform<8>{0.1f, 128})}) {
      for (const hs::Epilogue function : {hs::Epilogue(), hs::Epilogue(hs::Relu{}), hs::Epilogue(hs::Gelu{})}) {
        x(2, 69) = 0;
        x(5, 0) = 0;
        hs::MatrixF expected = hs::matmul(x, w, {.activation = activation, .epilogue = function});
        x(2, 69) = std::numeric_limits<float>::quiet_NaN();
        x(5, 0) = -std::numeric_limits<float>::infinity();
        const hs::MatrixF y = hs::matmul(x, w, {.activation = activation, .epilogue = function});
        for (hs::Index m = 0; m < 9; ++m) {
          for (hs::Index n = 0; n < 100; ++n) {
            REQUIRE((m == 2 || m == 5 ? std::isnan(y(m, n)) : y(m, n) == expected(m, n)));
          }
        }
      }
    }
  }
}

TEST_CASE("a warm workspace allocates nothing", "[matmul]") {
  const hs::MatrixF x = random_eigen(64, 300, 44);
  const Eigen::VectorXf bias = Eigen::VectorXf::Zero(200);
  hs::ThreadPool pool(3);
  for (const hs::PackedMatrix& w :
       {packed<hs::Uniform<4>>(200, 300, hs::per_group(64)), packed<hs::Uniform<8>>(200, 300, dealt_columns(300, 19)),
        packed<EvenOddQuantizer<4>>(200, 300, hs::per_row())}) {
    const hs::EncodedMatrix encoded = hs::encode(x, hs::Activation());
    hs::MatrixF y(64, 200);
    for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
      hs::Workspace workspace;
      const hs::MatmulOptions options{.bias = bias, .epilogue = hs::Gelu{}, .executor = executor};
      hs::matmul_into(x, w, y, workspace, options);
      hs::matmul_into(encoded, w, y, workspace, options);
      CHECK(allocations_of([&] {
              hs::matmul_into(x, w, y, workspace, options);
              hs::matmul_into(encoded, w, y, workspace, options);
              // Fewer rows, and options made anew, need nothing more.
              hs::matmul_into(x.topRows(5), w, y.topRows(5), workspace, {.activation = hs::Uniform<4>{0.5f, 7}});
            }) == 0);
    }
  }
}

TEST_CASE("what does not fit is refused", "[matmul]") {
  const hs::PackedMatrix w = packed<hs::Uniform<4>>(5, 8, hs::per_row());
  const hs::MatrixF x = random_eigen(3, 8, 45), other = random_eigen(3, 7, 45);
  hs::MatrixF y(3, 5), wrong(3, 4);
  hs::Workspace workspace;
  CHECK_RAISES(hs::matmul(other, w), "halfstep: matmul: x has 7 columns, packed weight expects 8 (its in_features)");
  CHECK_RAISES(hs::matmul(hs::encode(other, hs::Activation()), w), "x has 7 columns, packed weight expects 8");
  CHECK_RAISES(hs::matmul_into(x, w, wrong, workspace), "out has shape [3, 4], expected [3, 5]");
  CHECK_RAISES(hs::matmul_into(hs::MatrixView<const float>(nullptr, 3, 8), w, y, workspace),
               "x of shape [3, 8] has no data");
  CHECK_RAISES(hs::matmul_into(x, w, hs::MatrixView<float>(nullptr, 3, 5), workspace),
               "out of shape [3, 5] has no data");
}
