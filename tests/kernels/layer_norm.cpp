#include "halfstep/kernels/layer_norm.hpp"

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

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments moments_of(const FloatMatrix& x, hs::Index r, double layer_norm_epsilon) {
  Moments m;
  for (hs::Index c = 0; c < x.cols; ++c) m.mean += static_cast<double>(x(r, c)) / static_cast<double>(x.cols);
  double variance = 0;
  for (hs::Index c = 0; c < x.cols; ++c) {
    const double d = static_cast<double>(x(r, c)) - m.mean;
    variance += d * d / static_cast<double>(x.cols);
  }
  m.deviation = std::sqrt(variance + layer_norm_epsilon);
  return m;
}

constexpr float layer_norm_epsilon = 1e-6f;

FloatMatrix normalized(const FloatMatrix& x, const FloatMatrix& gain, const FloatMatrix& bias,
                       hs::ExecutorRef executor = {}) {
  FloatMatrix out(x.rows, x.cols);
  hs::layer_norm(x.view(), gain.values, bias.values, layer_norm_epsilon, out.view(), executor);
  return out;
}

}  // namespace

TEST_CASE("layer_norm agrees with sums in double", "[layer_norm]") {
  for (const hs::Index n : {1, 7, 8, 16, 31, 128, 129, 1000}) {
    for (const float mean : {0.0f, 1.0f, 3000.0f}) {
      const FloatMatrix x = random_matrix(5, n, 41, 1.0f, mean);
      const FloatMatrix gain = random_matrix(1, n, 42, 1.0f, 1.0f), bias = random_matrix(1, n, 43);
      const FloatMatrix y = normalized(x, gain, bias);
      // To first order: x - mean rounds once, its correction is good to the error of a sum; the variance carries the
      // error of a sum and a handful of roundings, half of which reach 1 / deviation; three roundings follow.
      const double sums = static_cast<double>(n) / 16 + 4;
      for (hs::Index r = 0; r < x.rows; ++r) {
        const Moments m = moments_of(x, r, static_cast<double>(layer_norm_epsilon));
        for (hs::Index c = 0; c < n; ++c) {
          const double z = (static_cast<double>(x(r, c)) - m.mean) / m.deviation;
          const double exact = z * static_cast<double>(gain(0, c)) + static_cast<double>(bias(0, c));
          const double bound =
              0x1p-24 *
              ((std::fabs(z) + 1) * (2 * sums + 8) * std::fabs(static_cast<double>(gain(0, c))) + std::fabs(exact));
          CAPTURE(n, mean, r, c, z);
          CHECK(std::fabs(static_cast<double>(y(r, c)) - exact) <= bound);
        }
      }
    }
  }
}

TEST_CASE("layer_norm gives the bits of a row alone, in place, strided, on any executor", "[layer_norm]") {
  const hs::Index n = 37, rows = 3000;
  const FloatMatrix x = random_matrix(rows, n, 44), gain = random_matrix(1, n, 45), bias = random_matrix(1, n, 46);
  const FloatMatrix expected = normalized(x, gain, bias);
  hs::ThreadPool pool(3);
  halfstep_tests::BackwardsExecutor backwards;
  CHECK(first_difference(normalized(x, gain, bias, pool).view(), expected.view()) == "");
  CHECK(first_difference(normalized(x, gain, bias, backwards).view(), expected.view()) == "");

  FloatMatrix in_place = x;
  hs::layer_norm(in_place.view(), gain.values, bias.values, layer_norm_epsilon, in_place.view());
  CHECK(first_difference(in_place.view(), expected.view()) == "");

  const hs::MatrixView<const float> every_third(x.values.data(), rows / 3, n, 3 * n, 1);
  FloatMatrix out(rows / 3, n);
  hs::layer_norm(every_third, gain.values, bias.values, layer_norm_epsilon, out.view());
  const hs::MatrixView<const float> expected_third(expected.values.data(), rows / 3, n, 3 * n, 1);
  CHECK(first_difference(out.view(), expected_third) == "");
}

TEST_CASE("layer_norm of rows without variance or with values that are not finite", "[layer_norm]") {
  const FloatMatrix gain = random_matrix(1, 9, 47), bias = random_matrix(1, 9, 48);
  for (const float constant : {0.0f, 5.0f, -1024.0f}) {
    FloatMatrix x(1, 9);
    for (float& value : x.values) value = constant;
    CAPTURE(constant);
    CHECK(first_difference(normalized(x, gain, bias).view(), bias.view()) == "");
  }
  FloatMatrix huge = random_matrix(1, 9, 53, 1e25f);  // squares beyond the largest float
  const FloatMatrix from_huge = normalized(huge, gain, bias);
  for (const float value : from_huge.values) CHECK(std::isnan(value));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (hs::Index at = 0; at < 9; ++at) {
      FloatMatrix x = random_matrix(2, 9, 49);
      x.view()(0, at) = bad;
      const FloatMatrix y = normalized(x, gain, bias);
      for (hs::Index c = 0; c < 9; ++c) {
        CAPTURE(bad, at, c);
        CHECK(std::isnan(y(0, c)));
        CHECK(std::isfinite(y(1, c)));
      }
    }
  }
}

TEST_CASE("layer_norm refuses what does not fit", "[layer_norm]") {
  const FloatMatrix x = random_matrix(2, 4, 50), gain = random_matrix(1, 4, 51), three = random_matrix(1, 3, 52);
  FloatMatrix out(2, 4), small(2, 3);
  CHECK_RAISES(hs::layer_norm(x.view(), three.values, gain.values, layer_norm_epsilon, out.view()),
               "layer_norm: gain has 3 elements, x has 4 columns");
  CHECK_RAISES(hs::layer_norm(x.view(), gain.values, three.values, layer_norm_epsilon, out.view()),
               "bias has 3 elements, x has 4 columns");
  CHECK_RAISES(hs::layer_norm(x.view(), gain.values, gain.values, 0.0f, out.view()), "epsilon is 0");
  CHECK_RAISES(hs::layer_norm(x.view(), gain.values, gain.values, layer_norm_epsilon, small.view()),
               "out has shape [2, 3], expected [2, 4]");
  const hs::MatrixView<const float> columns(x.values.data(), 2, 4, 1, 2);
  CHECK_RAISES(hs::layer_norm(columns, gain.values, gain.values, layer_norm_epsilon, out.view()), "must be contiguous");
}
