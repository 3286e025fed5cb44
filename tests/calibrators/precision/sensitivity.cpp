#include "halfstep/calibrators/precision/sensitivity.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

FloatMatrix rounded(const FloatMatrix& matrix, float step) {
  FloatMatrix result = matrix;
  for (float& x : result.values) x = std::nearbyint(x / step) * step;
  return result;
}

MatrixD doubles(const FloatMatrix& matrix) { return as_eigen(matrix.view()).cast<double>(); }

}  // namespace

TEST_CASE("the output error is that of the product, for one operand and for both") {
  struct Sizes {
    Index tokens, inputs, outputs;
  };
  for (const Sizes& s : {Sizes{40, 9, 5}, {7, 6, 30}, {1, 1, 1}}) {
    const FloatMatrix x = random_matrix(s.tokens, s.inputs, 81), w = random_matrix(s.outputs, s.inputs, 82);
    const FloatMatrix x_hat = rounded(x, 0.25f), w_hat = rounded(w, 0.125f);
    const auto expected = [&](const FloatMatrix& a, const FloatMatrix& b) {
      const MatrixD d = doubles(a) * doubles(b).transpose() - doubles(x) * doubles(w).transpose();
      return d.squaredNorm() / static_cast<double>(d.size());
    };
    // Sums of at most a few hundred terms in double.
    CHECK(output_error(x.view(), w.view(), x_hat.view(), w_hat.view()) ==
          Approx(expected(x_hat, w_hat)).epsilon(1e-11));
    CHECK(output_error(x.view(), w.view(), x.view(), w_hat.view()) == Approx(expected(x, w_hat)).epsilon(1e-11));
    CHECK(output_error(x.view(), w.view(), x_hat.view(), w.view()) == Approx(expected(x_hat, w)).epsilon(1e-11));
    CHECK(output_error(x.view(), w.view(), x.view(), w.view()) == 0);
  }
}

TEST_CASE("the trace is the output error of the weight, summed") {
  const FloatMatrix x = random_matrix(50, 12, 83), w = random_matrix(70, 12, 84), w_hat = rounded(w, 0.25f);
  const MatrixD moment = doubles(x).transpose() * doubles(x);
  const double trace = weight_error_trace(w.view(), w_hat.view(), moment);
  CHECK(trace == Approx(50 * 70 * output_error(x.view(), w.view(), x.view(), w_hat.view())).epsilon(1e-11));
  const MatrixF rounded_moment = moment.cast<float>();
  CHECK(weight_error_trace(w.view(), w_hat.view(), rounded_moment) == Approx(trace).epsilon(1e-5));  // 24 bits
}

TEST_CASE("the divergence of logits is the Kullback-Leibler one, and unmoved by a shift") {
  const std::vector<float> p = {0, 0, 1, -1, 0, 2}, q = {1, 0, 1, -1, 0, 2};
  const MatrixView<const float> exact(p.data(), 2, 3), other(q.data(), 2, 3);
  // First row: (1, e, 1/e) / s against (e, 1, ...): written out.
  const double s = 2 + std::exp(1.0), t = 1 + 2 * std::exp(1.0);
  const double row = (std::log(1 / s) - std::log(std::exp(1.0) / t)) / s + (std::log(1 / s) - std::log(1 / t)) / s +
                     std::exp(1.0) / s * (std::log(std::exp(1.0) / s) - std::log(std::exp(1.0) / t));
  CHECK(logit_divergence(exact, other) == Approx(row / 2).epsilon(1e-12));
  CHECK(logit_divergence(exact, exact) == 0);
  std::vector<float> shifted = p;
  for (float& x : shifted) x += 1024;  // exact
  CHECK(logit_divergence(exact, MatrixView<const float>(shifted.data(), 2, 3)) == Approx(0).margin(1e-12));
  const std::vector<float> huge = {3e38f, -3e38f, 0};
  const MatrixView<const float> far_apart(huge.data(), 1, 3);
  CHECK(logit_divergence(far_apart, far_apart) == 0);
}

TEST_CASE("sensitivities are the same for any executor") {
  const FloatMatrix x = random_matrix(300, 20, 85), w = random_matrix(200, 20, 86);
  const FloatMatrix x_hat = rounded(x, 0.25f), w_hat = rounded(w, 0.125f);
  const MatrixD moment = doubles(x).transpose() * doubles(x);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const ExecutorRef executor : {ExecutorRef(pool), ExecutorRef(backwards)}) {
    CHECK(output_error(x.view(), w.view(), x_hat.view(), w_hat.view(), executor) ==
          output_error(x.view(), w.view(), x_hat.view(), w_hat.view()));
    CHECK(weight_error_trace(w.view(), w_hat.view(), moment, executor) ==
          weight_error_trace(w.view(), w_hat.view(), moment));
  }
}

TEST_CASE("sensitivities say what is wrong") {
  FloatMatrix x = random_matrix(3, 4, 1), w = random_matrix(2, 4, 2);
  const auto narrow = x.view().col_range(0, 3);
  CHECK_RAISES(output_error(narrow, w.view(), narrow, w.view()), "w has 4 columns, x has 3 (in_features)");
  CHECK_RAISES(output_error(x.view(), w.view(), narrow, w.view()),
               "x_hat has shape [3, 3], expected that of x, [3, 4]");
  CHECK_RAISES(output_error(x.view(), w.view(), x.view(), x.view()), "w_hat has shape [3, 4], expected that of w");
  CHECK_RAISES(output_error(x.view().row_range(0, 0), w.view(), x.view(), w.view()),
               "x of shape [0, 4] has no elements");
  const MatrixD small = MatrixD::Identity(3, 3);
  CHECK_RAISES(weight_error_trace(w.view(), w.view(), small), "second_moment has shape [3, 3], expected [4, 4]");
  MatrixD infinite = MatrixD::Identity(4, 4);
  infinite(2, 1) = std::numeric_limits<double>::infinity();
  CHECK_RAISES(weight_error_trace(w.view(), w.view(), infinite), "second_moment is not finite: row 2, column 1 is inf");
  CHECK_RAISES(logit_divergence(x.view(), w.view()), "variant has shape [2, 4], expected that of logits, [3, 4]");
  x.values[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(logit_divergence(x.view(), x.view()), "logit_divergence: logits is not finite: row 1, column 1 is nan");
}
