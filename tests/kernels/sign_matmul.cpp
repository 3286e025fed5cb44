#include "halfstep/kernels/sign_matmul.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "kernels/matrices.hpp"
#include "simd/routes.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/golden.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

const hs::Binary binary{0.7f, 0.1f};
const hs::Elastic<1> elastic{0.5f, -0.2f}, plain_ones{0.25f, 0.0f};

std::vector<hs::SignMatrix> every_kind(const hs::MatrixF& x) {
  return {hs::encode_signs(x, binary), hs::encode_signs(x, elastic), hs::encode_signs(x, plain_ones),
          hs::signs_of(hs::quantize<hs::Binary>(x, {.tiling = hs::per_row()}))};
}

}  // namespace

TEST_CASE("products of bits give the bits of the reference, at every shape", "[sign_matmul]") {
  for (const hs::Index cols : {0, 1, 63, 64, 65, 127, 128, 200, 769}) {
    for (const hs::Index rows : {0, 1, 7, 8, 9, 63, 64, 65, 130}) {
      for (const hs::Index tokens : {0, 1, 3, 4, 5, 9}) {
        const auto xs = every_kind(random_eigen(tokens, cols, 1)), ws = every_kind(random_eigen(rows, cols, 2));
        for (std::size_t i = 0; i < xs.size(); ++i) {
          const hs::SignMatrix& w = ws[(i + static_cast<std::size_t>(rows)) % ws.size()];
          CAPTURE(tokens, rows, cols, i);
          REQUIRE(difference(hs::sign_matmul(xs[i], hs::pack(w)), hs::reference_sign_product(xs[i], w)) == "");
        }
      }
    }
  }
  for (const hs::SignMatrix& x : every_kind(random_eigen(5, 97, 3))) {
    for (const hs::SignMatrix& w : every_kind(random_eigen(17, 97, 4))) {
      REQUIRE(difference(hs::sign_matmul(x, hs::pack(w)), hs::reference_sign_product(x, w)) == "");
    }
  }
}

TEMPLATE_LIST_TEST_CASE("every route counts alike", "[sign_matmul]", Routes) {
  CAPTURE(std::string(TestType::name));
  const hs::SignMatrix x = hs::encode_signs(random_eigen(4, 333, 5), binary);
  const hs::SignMatrix w = hs::encode_signs(random_eigen(8, 333, 6), binary);
  const std::uint64_t* const rows[4] = {x.row(0), x.row(1), x.row(2), x.row(3)};
  std::uint64_t counts[4][8];
  hs::count_differences<TestType>(rows, hs::pack(w).tile(0), x.words(), counts);
  for (hs::Index m = 0; m < 4; ++m) {
    std::uint64_t alone[8];
    hs::count_differences<TestType>(x.row(m), hs::pack(w).tile(0), x.words(), alone);
    for (hs::Index n = 0; n < 8; ++n) {
      REQUIRE(alone[n] == counts[m][n]);
      std::uint64_t differing = 0;
      for (hs::Index k = 0; k < 333; ++k) differing += x.bit(m, k) != w.bit(n, k) ? 1u : 0u;
      REQUIRE(counts[m][n] == differing);
    }
  }
}

TEST_CASE("signs give the bits of the product of byte planes", "[sign_matmul]") {
  const hs::MatrixF x = random_eigen(13, 300, 7), w = random_eigen(70, 300, 8), residual = random_eigen(13, 70, 9);
  const std::vector<float> bias(70, 0.3f);
  const auto q = hs::quantize<hs::Binary>(w, {.tiling = hs::per_row()});
  const hs::MatrixF expected = hs::matmul(
      x, hs::pack(q), {.activation = binary, .bias = bias, .epilogue = hs::Gelu{}, .residual = hs::view(residual)});
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
    CHECK(difference(hs::sign_matmul(
                         hs::encode_signs(x, binary), hs::pack(hs::signs_of(q)),
                         {.bias = bias, .epilogue = hs::Gelu{}, .residual = hs::view(residual), .executor = executor}),
                     expected) == "");
  }
}

TEST_CASE("all bits equal, all bits different", "[sign_matmul]") {
  for (const hs::Index cols : {64, 100, 70000}) {
    const hs::MatrixF up = hs::MatrixF::Constant(5, cols, 1.0f), down = hs::MatrixF::Constant(9, cols, -1.0f);
    const hs::SignMatrix x = hs::encode_signs(up, hs::Binary{}), w = hs::encode_signs(down, hs::Binary{});
    CHECK((hs::sign_matmul(x, hs::pack(w)).array() == -static_cast<float>(cols)).all());
    CHECK((hs::sign_matmul(w, hs::pack(w)).array() == static_cast<float>(cols)).all());
  }
}

TEST_CASE("a row that is not finite gives a row of NaN", "[sign_matmul]") {
  hs::MatrixF x = random_eigen(6, 70, 10);
  x(3, 1) = std::numeric_limits<float>::quiet_NaN();
  const hs::MatrixF y = hs::sign_matmul(hs::encode_signs(x, binary), hs::pack(hs::encode_signs(x, binary)));
  for (hs::Index n = 0; n < 6; ++n) {
    CHECK(std::isnan(y(3, n)));
    CHECK(std::isnan(y(0, n)) == (n == 3));  // a weight's row as well
  }
}

TEST_CASE("products of signs refuse what does not fit, and write nowhere else", "[sign_matmul]") {
  const hs::SignMatrix x = hs::encode_signs(random_eigen(3, 70, 11), binary);
  const hs::PackedSigns w = hs::pack(hs::encode_signs(random_eigen(10, 71, 12), binary));
  CHECK_RAISES(hs::sign_matmul(x, w), "halfstep: sign_matmul: x has 70 columns, w expects 71");
  const hs::PackedSigns fits = hs::pack(hs::encode_signs(random_eigen(10, 70, 12), binary));
  hs::MatrixF frame = hs::MatrixF::Constant(9, 20, -7.0f);
  hs::sign_matmul_into(x, fits, frame.block(2, 3, 3, 10));
  CHECK((frame.array() == -7.0f).count() == 9 * 20 - 3 * 10);
  CHECK_RAISES(hs::sign_matmul_into(x, fits, frame), "out has shape [9, 20], expected [3, 10]");
  const std::vector<float> bias(9);
  CHECK_RAISES(hs::sign_matmul(x, fits, {.bias = bias}), "bias has 9 elements, w has 10 rows");
}

TEST_CASE("golden: binary products of packed words", "[golden]") {
  const Golden g("binary");
  for (const GoldenCase& c : g.cases("*.packed_x")) {
    CAPTURE(c.name);
    const auto words_of = [&](const std::string& name, hs::Index cols, float scale, const std::vector<float>& scales) {
      const auto bytes = g.values<std::uint8_t>(name);
      const hs::Index rows = g.shape(name)[0], stride = g.shape(name)[1];
      hs::SignMatrix signs({rows, cols}, hs::BitValues::signs);
      for (hs::Index r = 0; r < rows; ++r) {
        const float unit = scales.empty() ? scale : scales[static_cast<std::size_t>(r)];
        signs.set_row(r, bytes.data() + r * stride, stride, {unit, 0.0f});
        CHECK(std::memcmp(signs.row(r), bytes.data() + r * stride, static_cast<std::size_t>(stride)) == 0);
      }
      return signs;
    };
    const hs::Index cols = g.shape(c.prefix + "x")[1];
    const hs::SignMatrix x = words_of(c.name, cols, 1.0f, {}), w = words_of(c.prefix + "packed_w", cols, 1.0f, {});
    const hs::MatrixF dots = hs::sign_matmul(x, hs::pack(w));
    const auto expected = g.values<std::int32_t>(c.prefix + "xw_dot");
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(dots.data()[i] == static_cast<float>(expected[i]));
    // With its scales and bias: 1e-5 of the largest, as the README has real values.
    const hs::SignMatrix scaled = words_of(c.name, cols, g.scalar<float>(c.prefix + "x_alpha"), {});
    const hs::SignMatrix weight =
        words_of(c.prefix + "packed_w", cols, g.scalar<float>(c.prefix + "w_tensor.scale"), {});
    const auto bias = g.values<float>(c.prefix + "bias");
    const hs::MatrixF y = hs::sign_matmul(scaled, hs::pack(weight), {.bias = bias});
    const auto linear = g.values<float>(c.prefix + "y_linear");
    double largest = 0, worst = 0;
    for (std::size_t i = 0; i < linear.size(); ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(linear[i])));
      worst = std::max(worst, std::fabs(static_cast<double>(y.data()[i] - linear[i])));
    }
    CHECK(worst <= 1e-5 * largest);
  }
}
