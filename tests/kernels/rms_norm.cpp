#include "halfstep/kernels/rms_norm.hpp"

#include <cmath>
#include <limits>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::first_difference;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

namespace {

constexpr float rms_norm_epsilon = 1e-5f;

FloatMatrix normalized(const FloatMatrix& x, const FloatMatrix& gain, hs::ExecutorRef executor = {}) {
  FloatMatrix out(x.rows, x.cols);
  hs::rms_norm(x.view(), gain.values, rms_norm_epsilon, out.view(), executor);
  return out;
}

}  // namespace

TEST_CASE("rms_norm agrees with sums in double", "[rms_norm]") {
  for (const hs::Index n : {1, 7, 8, 16, 31, 128, 129, 1000}) {
    for (const float size : {1e-6f, 1.0f, 3000.0f}) {
      const FloatMatrix x = random_matrix(5, n, 51, size), gain = random_matrix(1, n, 52, 1.0f, 1.0f);
      const FloatMatrix y = normalized(x, gain);
      // The sum of squares carries the error of an ordered sum, half of which reaches the root; square, quotient, sum,
      // root, reciprocal and two products round once each.
      const double bound = 0x1p-24 * (0.5 * (static_cast<double>(n) / 16 + 4) + 8);
      for (hs::Index r = 0; r < x.rows; ++r) {
        double squares = 0;
        for (hs::Index c = 0; c < n; ++c) squares += static_cast<double>(x(r, c)) * static_cast<double>(x(r, c));
        const double root = std::sqrt(squares / static_cast<double>(n) + static_cast<double>(rms_norm_epsilon));
        for (hs::Index c = 0; c < n; ++c) {
          const double exact = static_cast<double>(x(r, c)) / root * static_cast<double>(gain(0, c));
          CAPTURE(n, size, r, c);
          CHECK(std::fabs(static_cast<double>(y(r, c)) - exact) <= bound * std::fabs(exact));
        }
      }
    }
  }
}

TEST_CASE("rms_norm gives a row the same bytes alone, in place and on threads", "[rms_norm]") {
  const FloatMatrix x = random_matrix(700, 67, 53), gain = random_matrix(1, 67, 54);
  const FloatMatrix y = normalized(x, gain);
  hs::ThreadPool pool(3);
  halfstep_tests::BackwardsExecutor backwards;
  CHECK(first_difference(normalized(x, gain, pool).view(), y.view()) == "");
  CHECK(first_difference(normalized(x, gain, backwards).view(), y.view()) == "");
  FloatMatrix row(1, 67);
  hs::rms_norm(x.view().row_range(5, 1), gain.values, rms_norm_epsilon, row.view());
  CHECK(first_difference(row.view(), y.view().row_range(5, 1)) == "");
  FloatMatrix same = x;
  hs::rms_norm(same.view(), gain.values, rms_norm_epsilon, same.view());
  CHECK(first_difference(same.view(), y.view()) == "");
}

TEST_CASE("rms_norm makes rows NaN that are not finite, or whose squares are not, and leaves the others",
          "[rms_norm]") {
  const FloatMatrix gain = random_matrix(1, 19, 55);
  FloatMatrix x = random_matrix(3, 19, 56);
  const FloatMatrix y = normalized(x, gain);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), 1e30f}) {
    x.view()(1, 18) = bad;
    const FloatMatrix found = normalized(x, gain);
    for (hs::Index c = 0; c < 19; ++c) {
      CAPTURE(bad, c);
      CHECK(std::isnan(found(1, c)));
      CHECK(found(0, c) == y(0, c));
      CHECK(found(2, c) == y(2, c));
    }
  }
  const FloatMatrix zeros(2, 19);
  CHECK(first_difference(normalized(zeros, FloatMatrix(1, 19)).view(), zeros.view()) == "");
}

TEST_CASE("rms_norm refuses shapes that do not fit", "[rms_norm]") {
  FloatMatrix x(3, 4), y(3, 4), other(4, 3);
  const FloatMatrix gain(1, 4), longer(1, 5);
  CHECK_RAISES(hs::rms_norm(x.view(), longer.values, 1e-5f, y.view()),
               "rms_norm: gain has 5 elements, x has 4 columns");
  CHECK_RAISES(hs::rms_norm(x.view(), gain.values, 0.0f, y.view()), "epsilon is 0, expected a positive number");
  CHECK_RAISES(hs::rms_norm(x.view(), gain.values, 1e-5f, other.view()), "out has shape [4, 3], expected [3, 4]");
  CHECK_RAISES(hs::rms_norm(hs::transposed(other.view()), gain.values, 1e-5f, y.view()),
               "the rows of x and out must be contiguous, column strides are 3 and 1");
  CHECK_RAISES(hs::rms_norm({nullptr, 3, 4}, gain.values, 1e-5f, y.view()), "x of shape [3, 4] has no data");
  FloatMatrix none(0, 4);
  hs::rms_norm(none.view(), gain.values, 1e-5f, none.view());
}
