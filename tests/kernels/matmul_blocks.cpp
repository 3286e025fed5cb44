// Products whose activations have a scale for each block of a row: MXFP4 x MXFP4, NVFP4 x NVFP4 and the others.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_encoded.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Values whose blocks differ in size by powers of ten, with a block of zeros.
hs::MatrixF uneven(hs::Index rows, hs::Index cols, std::uint32_t seed) {
  hs::MatrixF x = random_eigen(rows, cols, seed);
  for (hs::Index r = 0; r < rows; ++r) {
    for (hs::Index c = 0; c < cols; ++c) {
      const hs::Index block = (c / 16 * 7 + r * 3) % 9;
      x(r, c) *= block == 0 ? 0.0f : std::pow(10.0f, static_cast<float>(block - 4));
    }
  }
  return x;
}

template <class F>
hs::Activation activation_for(const hs::MatrixF& x) {
  if constexpr (hs::HasTensorScale<F>) {
    float largest = 0;
    for (hs::Index i = 0; i < x.size(); ++i) largest = std::max(largest, std::fabs(x.data()[i]));
    return hs::Activation::per_block<F>(F::tensor_scale_of({-largest, largest, 0}));
  } else {
    return hs::Activation::per_block<F>();
  }
}

hs::PackedMatrix uniform_weight(hs::Index rows, hs::Index cols, hs::Index group) {
  return hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(rows, cols, 5), {.tiling = hs::per_group(group)}));
}

}  // namespace

TEMPLATE_TEST_CASE("block formats on both sides give the bits of the reference", "[matmul_blocks]", hs::MXFP4,
                   hs::MXFP6E2M3, hs::MXFP6E3M2, hs::NVFP4) {
  using F = TestType;
  hs::ThreadPool pool(3);
  for (const hs::Index cols : {0, 1, 15, 16, 17, 31, 32, 33, 64, 97, 257}) {
    for (const hs::Index rows : {1, 17, 65}) {
      const hs::MatrixF x = uneven(13, cols, 1);
      const hs::Activation activation = activation_for<F>(x);
      const hs::PackedMatrix same = hs::pack(hs::quantize_blocks<F>(uneven(rows, cols, 2)));
      for (const hs::PackedMatrix& w :
           {same, uniform_weight(rows, cols, F::block_size), uniform_weight(rows, cols, F::block_size / 2)}) {
        CAPTURE(cols, rows, w.layout().group);
        const hs::EncodedMatrix encoded = hs::encode(x, activation, w.layout().group);
        const hs::MatrixF expected = hs::reference_product(encoded, w);
        REQUIRE(difference(hs::matmul(x, w, {.activation = activation}), expected) == "");
        REQUIRE(difference(hs::matmul(x, w, {.activation = activation, .executor = pool, .blocking = {5, 16}}),
                           expected) == "");
        REQUIRE(difference(hs::matmul(encoded, w, {.tile = &hs::tile_generic}), expected) == "");
        REQUIRE(difference(hs::matmul(x.bottomRows(1), w, {.activation = activation}), expected.bottomRows(1)) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("the product is that of the decoded blocks", "[matmul_blocks]", hs::MXFP4, hs::MXFP6E2M3,
                   hs::NVFP4) {
  using F = TestType;
  const hs::MatrixF x = uneven(5, 200, 3), w = uneven(33, 200, 4);
  const hs::Activation activation = activation_for<F>(x);
  const hs::QuantizedMatrix<F> x_blocks = hs::quantize_blocks<F>(x), w_blocks = hs::quantize_blocks<F>(w);
  const hs::MatrixF x_values = hs::dequantize(x_blocks), w_values = hs::dequantize(w_blocks);
  const hs::EncodedMatrix encoded = hs::encode(x, activation);
  const hs::MatrixF y = hs::matmul(x, hs::pack(w_blocks), {.activation = activation});
  hs::MatrixF decoded(5, 200);
  hs::Workspace workspace;
  hs::fake_quantize_into(hs::view(x), activation, hs::mutable_view(decoded), workspace);
  for (hs::Index m = 0; m < 5; ++m) {
    for (hs::Index k = 0; k < 200; ++k) {
      REQUIRE(static_cast<float>(encoded.value(m, k)) == x_values(m, k));
      REQUIRE(decoded(m, k) == x_values(m, k));
    }
    for (hs::Index n = 0; n < 33; ++n) {
      double exact = 0, sizes = 0;
      for (hs::Index begin = 0; begin < 200; begin += F::block_size) {
        double part = 0;
        for (hs::Index k = begin; k < std::min<hs::Index>(200, begin + F::block_size); ++k) {
          part += static_cast<double>(x_values(m, k)) * static_cast<double>(w_values(n, k));
        }
        exact += part;
        sizes += std::fabs(part);
      }
      // docs/numerics.md, section 3: G groups. Values of NVFP4 are rounded once more each, which terms cancel by.
      double terms = 0;
      for (hs::Index k = 0; k < 200; ++k) terms += std::fabs(static_cast<double>(x_values(m, k) * w_values(n, k)));
      const double groups = 200.0 / static_cast<double>(F::block_size) + 1;
      CAPTURE(m, n);
      REQUIRE(std::fabs(static_cast<double>(y(m, n)) - exact) <= (groups + 2) * 0x1p-24 * sizes + 0x1p-22 * terms);
    }
  }
}

TEST_CASE("extreme codes in every lane of blocks", "[matmul_blocks]") {
  for (const hs::Index cols : {32, 64, 1024, 70016}) {
    const hs::MatrixF x = hs::MatrixF::Constant(3, cols, 6.0f);
    hs::MatrixF w = hs::MatrixF::Constant(17, cols, -6.0f);
    const hs::PackedMatrix packed = hs::pack(hs::quantize_blocks<hs::MXFP4>(w));
    const hs::MatrixF y = hs::matmul(x, packed, {.activation = hs::Activation::per_block<hs::MXFP4>()});
    // Every sum is a multiple of 36 below 2^24: exact.
    CHECK((y.array() == static_cast<float>(-36.0 * static_cast<double>(cols))).all());
  }
}

TEST_CASE("a requantizing product writes blocks", "[matmul_blocks]") {
  hs::ThreadPool pool(3);
  const hs::MatrixF x = uneven(70, 96, 6);
  const hs::PackedMatrix w = uniform_weight(130, 96, 32);
  const hs::Activation next = hs::Activation::per_block<hs::MXFP4>();
  const hs::MatrixF y = hs::matmul(x, w);
  for (const hs::Index group : {0, 16, 32}) {
    CHECK(hs::matmul_encoded(x, w, {.executor = pool, .blocking = {16, 32}}, next, group) ==
          hs::encode(y, next, group));
  }
  // A chain that never sees a float matrix: blocks from blocks.
  const hs::PackedMatrix first = hs::pack(hs::quantize_blocks<hs::MXFP4>(uneven(130, 96, 7)));
  const hs::PackedMatrix second = hs::pack(hs::quantize_blocks<hs::MXFP4>(uneven(40, 130, 8)));
  const hs::EncodedMatrix middle = hs::matmul_encoded(x, first, {.activation = next}, next);
  const hs::MatrixF expected = hs::matmul(hs::matmul(x, first, {.activation = next}), second, {.activation = next});
  CHECK(difference(hs::matmul(middle, second), expected) == "");
}

TEST_CASE("a value that is not finite spoils its row only", "[matmul_blocks]") {
  hs::MatrixF x = uneven(6, 96, 9);
  const hs::Activation activation = hs::Activation::per_block<hs::MXFP4>();
  const hs::PackedMatrix w = hs::pack(hs::quantize_blocks<hs::MXFP4>(uneven(20, 96, 10)));
  const hs::MatrixF before = hs::matmul(x, w, {.activation = activation});
  x(2, 95) = std::numeric_limits<float>::quiet_NaN();
  x(4, 0) = -std::numeric_limits<float>::infinity();
  const hs::MatrixF y = hs::matmul(x, w, {.activation = activation});
  for (hs::Index m = 0; m < 6; ++m) {
    for (hs::Index n = 0; n < 20; ++n) REQUIRE((m == 2 || m == 4 ? std::isnan(y(m, n)) : y(m, n) == before(m, n)));
  }
  const hs::EncodedMatrix encoded = hs::encode(x, activation);
  for (hs::Index g = 0; g < 3; ++g) CHECK(std::isnan(encoded.scale(2, g)));
  CHECK_RAISES(hs::matmul_encoded(x, w, {.activation = activation}, activation), "row 2 of the product is not finite");
  hs::MatrixF decoded(6, 96);
  hs::Workspace workspace;
  hs::fake_quantize_into(hs::view(x), activation, hs::mutable_view(decoded), workspace);
  CHECK(std::isnan(decoded(2, 0)));
  CHECK(std::isnan(decoded(4, 95)));
}

TEST_CASE("blocks in a warm workspace allocate nothing", "[matmul_blocks]") {
  const hs::MatrixF x = uneven(64, 96, 11);
  const hs::PackedMatrix w = hs::pack(hs::quantize_blocks<hs::MXFP4>(uneven(100, 96, 12)));
  const hs::Activation activation = hs::Activation::per_block<hs::MXFP4>();
  hs::MatrixF y(64, 100);
  hs::EncodedMatrix out;
  hs::Workspace workspace;
  const auto run = [&] {
    hs::matmul_into(x, w, y, workspace, {.activation = activation});
    hs::matmul_encoded_into(x, w, out, workspace, {.activation = activation}, activation);
  };
  run();
  CHECK(allocations_of(run) == 0);
}

TEST_CASE("blocks refuse what they cannot meet", "[matmul_blocks]") {
  const hs::MatrixF x = uneven(3, 96, 13);
  const hs::Activation activation = hs::Activation::per_block<hs::MXFP4>();
  const hs::PackedMatrix per_row = hs::pack(hs::quantize<hs::Uniform<4>>(x, {.tiling = hs::per_row()}));
  CHECK_RAISES(hs::matmul(x, per_row, {.activation = activation}),
               "halfstep: matmul: activation has blocks of 32 values, packed weight has groups of 96");
  CHECK_RAISES(hs::matmul_encoded(x, uniform_weight(4, 96, 24), {.activation = activation}, activation),
               "packed weight has groups of 24");
  CHECK_RAISES(hs::matmul(hs::encode(x, activation), uniform_weight(4, 96, 16)),
               "x has a scale for each 32 values of a row, packed weight has groups of 16");
  const hs::PackedMatrix dealt = hs::pack(hs::quantize<hs::Uniform<4>>(x, {.tiling = dealt_columns(96, 32)}));
  CHECK_RAISES(hs::matmul(x, dealt, {.activation = activation}), "has its columns in another order");
  CHECK_RAISES(hs::matmul(hs::encode(x, activation), dealt), "in another order");
  CHECK_RAISES(hs::encode(x, activation, 48),
               "halfstep: encode: activation has blocks of 32 values, which groups of 48");
  CHECK_RAISES(hs::Activation::per_block<hs::MXFP4>(2.0f), "tensor_scale is 2, expected 1: this format has none");
  CHECK_RAISES(hs::Activation::per_block<hs::NVFP4>(0.0f), "tensor_scale is 0, expected a positive number");
  std::vector<std::uint8_t> codes(96);
  CHECK_RAISES(activation.encode(x.data(), 96, codes.data()),
               "this activation has a scale for each 32 values of a row");
}

TEST_CASE("golden: mxfp activations are the blocks of the file", "[golden]") {
  const Golden g("mxfp");
  for (const GoldenCase& c : g.cases("mx*.x")) {
    const auto loaded = g.matrix(c.name);
    const hs::MatrixView<const float> x(loaded.values.data(), loaded.rows, loaded.cols);
    const auto check = [&](const std::string& name, const hs::Activation& activation, double tolerance) {
      CAPTURE(c.name, name);
      const hs::EncodedMatrix encoded = hs::encode(x, activation);
      CHECK(mismatches(g.values<float>(name),
                       [&](std::size_t i) {
                         const auto at = static_cast<hs::Index>(i);
                         return static_cast<float>(encoded.value(at / x.cols, at % x.cols));
                       },
                       {tolerance, 0}) == 0);
    };
    check(c.prefix + "floor.deq", hs::Activation::per_block<hs::MxFloat<hs::Fp4E2M1, hs::ExponentRule::floor>>(), 0);
    check(c.prefix + "even.deq", hs::Activation::per_block<hs::MxFloat<hs::Fp4E2M1, hs::ExponentRule::even>>(), 0);
    check(c.prefix + "ceil.deq", hs::Activation::per_block<hs::MxFloat<hs::Fp4E2M1, hs::ExponentRule::ceil>>(), 0);
    check(c.prefix + "rceil.deq", hs::Activation::per_block<hs::MxFloat<hs::Fp4E2M1, hs::ExponentRule::rceil>>(), 0);
    const std::string nv = "nv" + c.parts[0] + ".";
    check(nv + "one.deq", hs::Activation::per_block<hs::NVFP4>(), 1e-6);
    check(nv + "two.deq", hs::Activation::per_block<hs::NVFP4>(g.scalar<float>(nv + "two.global")), 1e-6);
  }
}
