#include "halfstep/kernels/shiftmax.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/reference_integer.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

template <class T>
void check_rows(const IntegerMatrix<T>& x, float scale, int bits, hs::ExecutorRef executor = {}) {
  IntegerMatrix<std::uint8_t> out(x.rows, x.cols);
  hs::shiftmax(x.view(), scale, out.view(), bits, executor);
  REQUIRE(out.padding_is_untouched());
  for (hs::Index r = 0; r < x.rows; ++r) {
    CAPTURE(scale, bits, x.cols);
    REQUIRE(row_difference(out, r, hs::reference_shiftmax(x.wide_row(r), scale, bits)) == "");
  }
}

}  // namespace

TEST_CASE("shiftmax is its reference at every length", "[shiftmax]") {
  for (const hs::Index cols : row_lengths()) {
    for (const float scale : {0x1p-15f, 0.001f, 0.013f, 0.05f, 0.11f, 0.33333334f, 0.5f, 1.0f, 3.0f, 0x1p100f}) {
      for (const int bits : {2, 5, 8}) {
        check_rows(random_integers<std::int8_t>(4, cols, 1, -128, 127), scale, bits);
        check_rows(random_integers<std::int32_t>(4, cols, 2, -128, 127), scale, bits);
        check_rows(random_integers<std::int32_t>(4, cols, 3, -500000, 500000), scale, bits);
      }
    }
  }
}

TEST_CASE("shiftmax of extremes", "[shiftmax]") {
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min(), most = hs::integer_one;
  for (const float scale : {0x1p-15f, 0.02f, 1.0f}) {
    for (const hs::Index cols : row_lengths()) {
      IntegerMatrix<std::int32_t> x = random_integers<std::int32_t>(5, cols, 4, least, most);
      IntegerMatrix<std::int8_t> codes(2, cols);
      for (hs::Index c = 0; c < cols; ++c) {
        x(0, c) = least;
        x(1, c) = most;
        x(2, c) = c % 2 == 0 ? least : most;
        codes(0, c) = c % 2 == 0 ? std::int8_t{-128} : std::int8_t{127};
        codes(1, c) = -128;
      }
      check_rows(x, scale, 8);
      check_rows(codes, scale, 8);
    }
  }
  // So many equal keys that their sum passes 31 bits: |x0| 2^15 each.
  IntegerMatrix<std::int8_t> equal(1, 200);
  for (hs::Index c = 0; c < 200; ++c) equal(0, c) = 3;
  check_rows(equal, 0x1p-15f, 8);
  IntegerMatrix<std::int8_t> one(1, 1);
  IntegerMatrix<std::uint8_t> out(1, 1);
  hs::shiftmax(hs::MatrixView<const std::int8_t>(one.view()), 0.1f, out.view());
  CHECK(out(0, 0) == 127);
}

TEST_CASE("shiftmax does not depend on threads, and empty rows are no rows", "[shiftmax]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  const auto x = random_integers<std::int8_t>(3000, 37, 5, -128, 127);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
    check_rows(x, 0.05f, 8, executor);
  }
  check_rows(IntegerMatrix<std::int8_t>(0, 5), 0.05f, 8);
  check_rows(IntegerMatrix<std::int8_t>(5, 0), 0.05f, 8);
}

TEST_CASE("shiftmax is near the softmax", "[shiftmax]") {
  const float scale = 0.02f;
  const auto x = random_integers<std::int8_t>(50, 64, 6, -128, 127);
  IntegerMatrix<std::uint8_t> out(50, 64);
  hs::shiftmax(x.view(), scale, out.view());
  // A power is off by a factor from 2^(-s / 2) to `above` at the row's largest t, 5.1; a probability by their ratio
  // either way, and the code by less than one step and the cut of the factor, sum / 2^31.
  const double s = static_cast<double>(scale), t = 255 * s;
  const double factor = 1.0615 * std::exp2((1.44270 - 1.4375) * t + 0.9375 * s + 1.4375 * t * s + 0.5 * s);
  for (hs::Index r = 0; r < 50; ++r) {
    double sum = 0;
    for (hs::Index c = 0; c < 64; ++c) sum += std::exp(s * x(r, c));
    for (hs::Index c = 0; c < 64; ++c) {
      const double p = 128 * std::exp(s * x(r, c)) / sum;
      const double integers = 64 * 51 * 0x1p15 + 1;  // the sum at most, |x0| = 50 or 51
      CAPTURE(r, c, p);
      CHECK(out(r, c) <= p * factor);
      CHECK(out(r, c) >= p / factor * (1 - integers * 0x1p-31) - 1);
    }
  }
}

TEST_CASE("shiftmax refuses what does not fit", "[shiftmax]") {
  const IntegerMatrix<std::int8_t> x(3, 4);
  IntegerMatrix<std::uint8_t> out(3, 4), wrong(3, 5);
  CHECK_RAISES(hs::shiftmax(x.view(), 0.1f, wrong.view()), "halfstep: shiftmax: out has shape [3, 5], expected [3, 4]");
  CHECK_RAISES(hs::shiftmax(x.view(), 0.0f, out.view()), "scale is 0, expected a number from");
  CHECK_RAISES(hs::shiftmax(x.view(), std::numeric_limits<float>::quiet_NaN(), out.view()), "scale is nan");
  CHECK_RAISES(hs::shiftmax(x.view(), 0.1f, out.view(), 9), "bits is 9, expected 2 to 8");
  CHECK_RAISES(hs::shiftmax(x.view(), 0.1f, hs::transposed(IntegerMatrix<std::uint8_t>(4, 3).view())),
               "the rows of x and out must be contiguous");
}
