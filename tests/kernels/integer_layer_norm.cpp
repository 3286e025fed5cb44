#include "halfstep/kernels/integer_layer_norm.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/reference_integer.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

void check_rows(const IntegerMatrix<std::int32_t>& x, hs::ExecutorRef executor = {}) {
  const FloatMatrix gain = random_matrix(1, x.cols, 1, 0.5f, 2.0f), bias = random_matrix(1, x.cols, 2);
  const hs::IntegerNorm norm = hs::IntegerNorm::of(gain.values, bias.values);
  IntegerMatrix<std::int64_t> out(x.rows, x.cols);
  hs::integer_layer_norm(x.view(), norm, out.view(), executor);
  REQUIRE(out.padding_is_untouched());
  for (hs::Index r = 0; r < x.rows; ++r) {
    std::vector<std::int64_t> expected = hs::reference_integer_layer_norm(x.wide_row(r));
    for (std::size_t c = 0; c < expected.size(); ++c) expected[c] += norm.bias[c];
    CAPTURE(x.cols);
    REQUIRE(row_difference(out, r, expected) == "");
  }
}

}  // namespace

TEST_CASE("integer_layer_norm is its reference at every length", "[integer_layer_norm]") {
  for (const hs::Index cols : row_lengths()) {
    for (const std::int64_t size : {0, 1, 2, 30, 32767, (1 << 20) - 1}) {
      check_rows(random_integers<std::int32_t>(5, cols, 1, -size, size));
      check_rows(random_integers<std::int32_t>(5, cols, 2, size / 2, size));
      check_rows(random_integers<std::int32_t>(5, cols, 3, -size, -size / 2));
    }
  }
  IntegerMatrix<std::int32_t> extremes(2, 3000);
  for (hs::Index c = 0; c < 3000; ++c) {
    extremes(0, c) = c % 2 == 0 ? (1 << 20) - 1 : 1 - (1 << 20);
    extremes(1, c) = c == 0 ? (1 << 20) - 1 : 1 - (1 << 20);
  }
  check_rows(extremes);
}

TEST_CASE("means are rounded to even, roots by ten steps", "[integer_layer_norm]") {
  for (std::int64_t count = 1; count < 9; ++count) {
    for (std::int64_t sum = -40; sum <= 40; ++sum) {
      CAPTURE(sum, count);
      CHECK(hs::rounded_quotient(sum, count) ==
            static_cast<std::int64_t>(std::nearbyint(static_cast<double>(sum) / static_cast<double>(count))));
    }
  }
  for (std::int64_t root = 200; root < 3000000; root += root / 7) CHECK(hs::newton_root(root * root) == root);
  CHECK(hs::newton_root(181 * 181) == 182);  // the header's examples
  CHECK(hs::newton_root(64 * 64) == 83);
  CHECK(hs::newton_root(0) == 64);
}

TEST_CASE("integer_layer_norm is near the float one where rows vary enough", "[integer_layer_norm]") {
  constexpr hs::Index cols = 96;
  const auto x = random_integers<std::int32_t>(20, cols, 4, -9000, 15000);
  const FloatMatrix gain = random_matrix(1, cols, 5, 0.5f, 2.0f), bias = random_matrix(1, cols, 6);
  const hs::IntegerNorm norm = hs::IntegerNorm::of(gain.values, bias.values);
  IntegerMatrix<std::int64_t> out(20, cols);
  hs::integer_layer_norm(x.view(), norm, out.view());
  for (hs::Index r = 0; r < 20; ++r) {
    double mean = 0, squares = 0;
    for (hs::Index c = 0; c < cols; ++c) mean += static_cast<double>(x(r, c)) / cols;
    for (hs::Index c = 0; c < cols; ++c) squares += (x(r, c) - mean) * (x(r, c) - mean);
    for (hs::Index c = 0; c < cols; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const double g = static_cast<double>(gain.values[at]), z = (x(r, c) - mean) / std::sqrt(squares / cols);
      const double exact = z * g + static_cast<double>(bias.values[at]);
      const double found = static_cast<double>(out(r, c)) * norm.scale[at];
      // The mean moves by half a unit; the root and the factor are cut to integers: relative 1 / root and root / 2^31
      // of z, whose size is below sqrt(cols); the product and the bias are cut to units.
      const double root = std::sqrt(squares);
      const double relative =
          (0.5 + 0.5 / std::sqrt(cols)) / root * std::sqrt(cols) + std::fabs(z) * (1 / root + root * 0x1p-31 + 1e-6);
      CAPTURE(r, c, exact, found);
      CHECK(std::fabs(found - exact) <= std::fabs(g) * relative + 3 * std::fabs(norm.scale[at]) + 1e-6);
    }
  }
}

TEST_CASE("integer_layer_norm does not depend on threads", "[integer_layer_norm]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  const auto x = random_integers<std::int32_t>(2000, 37, 7, -32768, 32767);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) check_rows(x, executor);
  check_rows(IntegerMatrix<std::int32_t>(0, 5));
  check_rows(IntegerMatrix<std::int32_t>(5, 0));
}

TEST_CASE("integer_layer_norm refuses what does not fit, and leaves the output alone", "[integer_layer_norm]") {
  const std::vector<float> gain(4, 1.0f), bias(4, 0.5f);
  const hs::IntegerNorm norm = hs::IntegerNorm::of(gain, bias);
  IntegerMatrix<std::int32_t> x(3, 4), narrow(3, 3);
  IntegerMatrix<std::int64_t> out(3, 4), narrow_out(3, 3);
  CHECK_RAISES(hs::integer_layer_norm(narrow.view(), norm, narrow_out.view()),
               "halfstep: integer_layer_norm: norm has 4 channels, x has 3 columns");
  for (const std::int32_t bad : {1 << 20, -(1 << 20), std::numeric_limits<std::int32_t>::min()}) {
    x(2, 3) = bad;
    CHECK_RAISES(hs::integer_layer_norm(x.view(), norm, out.view()),
                 hs::concat("x at row 2, column 3 is ", bad, ", expected less than 1048576 in size"));
    CHECK(out(0, 0) == 77);
  }
  const std::vector<float> dead{1, 1, 0, 1}, huge(4, 1e38f), tiny(4, 1e-38f), few(3, 1.0f);
  CHECK_RAISES(hs::IntegerNorm::of(dead, bias), "halfstep: IntegerNorm::of: channel 2 has gain 0 and bias 0.5");
  CHECK_RAISES(hs::IntegerNorm::of(tiny, huge), "channel 0 has gain");
  CHECK_RAISES(hs::IntegerNorm::of(few, bias), "gain has 3 elements, bias 4");
}
