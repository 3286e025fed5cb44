#include "halfstep/kernels/shift_gelu.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/reference_integer.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

void check_rows(const IntegerMatrix<std::int8_t>& x, float scale, int bits, hs::ExecutorRef executor = {}) {
  IntegerMatrix<std::int32_t> out(x.rows, x.cols);
  hs::shift_gelu(x.view(), scale, out.view(), bits, executor);
  REQUIRE(out.padding_is_untouched());
  for (hs::Index r = 0; r < x.rows; ++r) {
    std::vector<std::int64_t> expected = hs::reference_shift_sigmoid(x.wide_row(r), scale, bits);
    for (hs::Index c = 0; c < x.cols; ++c) expected[static_cast<std::size_t>(c)] *= x(r, c);
    CAPTURE(scale, bits, x.cols);
    REQUIRE(row_difference(out, r, expected) == "");
  }
}

}  // namespace

TEST_CASE("shift_gelu is its reference at every length and sign", "[shift_gelu]") {
  for (const hs::Index cols : row_lengths()) {
    for (const float scale : {0x1p-15f, 0.001f, 0.005f, 0.0169f, 0.065f, 0.143f, 0.5f, 1.0f, 7.0f, 0x1p100f}) {
      for (const int bits : {2, 5, 8}) {
        check_rows(random_integers<std::int8_t>(4, cols, 1, -128, 127), scale, bits);
        check_rows(random_integers<std::int8_t>(4, cols, 2, -128, -1), scale, bits);  // the maximum is negative
        check_rows(random_integers<std::int8_t>(4, cols, 3, 0, 127), scale, bits);
      }
    }
  }
}

TEST_CASE("shift_gelu of every value under every maximum", "[shift_gelu]") {
  for (const float scale : {0.005f, 0.05f, 0.3f}) {
    for (int largest = -128; largest <= 127; ++largest) {
      IntegerMatrix<std::int8_t> x(1, largest + 129);
      for (int value = -128; value <= largest; ++value) x(0, value + 128) = static_cast<std::int8_t>(value);
      check_rows(x, scale, 8);
    }
  }
}

TEST_CASE("shift_gelu does not depend on threads", "[shift_gelu]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  const auto x = random_integers<std::int8_t>(3000, 37, 5, -128, 127);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
    check_rows(x, 0.05f, 8, executor);
  }
  check_rows(IntegerMatrix<std::int8_t>(0, 5), 0.05f, 8);
  check_rows(IntegerMatrix<std::int8_t>(5, 0), 0.05f, 8);
}

TEST_CASE("shift_gelu is near x sigmoid(1.702 x) where the operator is valid", "[shift_gelu]") {
  const float scale = 0.03f;
  const auto x = random_integers<std::int8_t>(50, 97, 6, -128, 127);
  IntegerMatrix<std::int32_t> out(50, 97);
  hs::shift_gelu(x.view(), scale, out.view());
  // Both powers carry the factors of docs/numerics.md, section 7, at their t, of which the largest is 255 steps;
  // sigmoid is u / (u + 1) of their ratio, which moves it by at most a quarter of the ratio's relative change; the
  // code is cut by less than one step and by sum / 2^31.
  const double s = static_cast<double>(scale) * 1.702, t = 255 * s;
  const double ratio = 1.0615 * std::exp2((1.44270 - 1.4375) * t + 0.9375 * s + 1.4375 * t * s + 0.5 * s);
  const double sum = 2 * 20 * 0x1p23;  // |x0| = 20
  for (hs::Index r = 0; r < 50; ++r) {
    for (hs::Index c = 0; c < 97; ++c) {
      if (x(r, c) == 0) {
        CHECK(out(r, c) == 0);
        continue;
      }
      const double exact = 1 / (1 + std::exp(-s * x(r, c))), sigmoid = out(r, c) / 128.0 / x(r, c);
      CAPTURE(r, c, exact);
      CHECK(sigmoid <= exact + 0.25 * (ratio - 1));
      CHECK(sigmoid >= exact - 0.25 * (ratio - 1) - 1.0 / 128 - sum * 0x1p-31);
    }
  }
}

TEST_CASE("shift_gelu refuses what does not fit", "[shift_gelu]") {
  const IntegerMatrix<std::int8_t> x(3, 4);
  IntegerMatrix<std::int32_t> out(3, 4), wrong(3, 5);
  CHECK_RAISES(hs::shift_gelu(x.view(), 0.1f, wrong.view()),
               "halfstep: shift_gelu: out has shape [3, 5], expected [3, 4]");
  CHECK_RAISES(hs::shift_gelu(x.view(), -1.0f, out.view()), "scale is -1, expected a number from");
  CHECK_RAISES(hs::shift_gelu(x.view(), 0.1f, out.view(), 1), "bits is 1, expected 2 to 8");
}
