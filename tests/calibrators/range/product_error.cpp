#include "halfstep/calibrators/range/product_error.hpp"

#include <cstddef>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// |seen (x + d) - exact x|^2, and the sum of the squares of all that is added up in it.
struct Plain {
  long double error = 0, magnitude = 0;
};

Plain plain_error(const FloatMatrix& exact, const FloatMatrix& seen, const std::vector<float>& x, const double* d) {
  Plain result;
  for (Index m = 0; m < exact.rows; ++m) {
    long double sum = 0, magnitude = 0;
    for (Index k = 0; k < exact.cols; ++k) {
      const long double change = static_cast<long double>(x[static_cast<std::size_t>(k)]) + d[k];
      const long double was = x[static_cast<std::size_t>(k)];
      sum += seen.view()(m, k) * change - exact.view()(m, k) * was;
      magnitude += std::abs(seen.view()(m, k) * change) + std::abs(exact.view()(m, k) * was);
    }
    result.error += sum * sum;
    result.magnitude += magnitude * magnitude;
  }
  return result;
}

}  // namespace

TEST_CASE("a product's error is that of the plain sums, directly and by moments") {
  struct Sizes {
    Index rows, cols;
  };
  for (const Sizes& s : {Sizes{5, 17}, {17, 5}, {300, 70}, {1, 1}, {3, 1}, {1, 4}}) {
    CAPTURE(s.rows, s.cols);
    const FloatMatrix exact = random_matrix(s.rows, s.cols, 31);
    FloatMatrix seen = exact;
    for (float& value : seen.values) value += 0.01f * value;
    const FloatMatrix row = random_matrix(1, s.cols, 32);
    MatrixD changes(7, s.cols);
    for (Index i = 0; i < changes.size(); ++i) changes.data()[i] = 0.003 * static_cast<double>(i % 11 - 5);
    for (const bool is_exact : {false, true}) {
      const ProductError error = is_exact ? ProductError(exact.view()) : ProductError(exact.view(), seen.view());
      CHECK(error.channels() == s.cols);
      std::vector<double> errors(7);
      error(row.values.data(), changes, errors.data());
      for (Index i = 0; i < 7; ++i) {
        const Plain expected = plain_error(exact, is_exact ? exact : seen, row.values, changes.data() + i * s.cols);
        // Up to K^2 terms of at most the magnitude, each rounded a few times.
        const auto bound = static_cast<double>(expected.magnitude) * static_cast<double>(4 * s.cols + 8) * 0x1p-52;
        CHECK(std::abs(errors[static_cast<std::size_t>(i)] - static_cast<double>(expected.error)) <= bound);
        CHECK(errors[static_cast<std::size_t>(i)] >= 0);
      }
    }
  }
}

TEST_CASE("a product's error is the same bits for any executor, and no change costs nothing") {
  const FloatMatrix exact = random_matrix(600, 150, 33), row = random_matrix(1, 150, 34);
  FloatMatrix seen = exact;
  for (float& value : seen.values) value *= 0.99f;
  const MatrixD changes = MatrixD::Random(9, 150) * 0.01;
  std::vector<double> serial(9), parallel(9);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  ProductError(exact.view(), seen.view())(row.values.data(), changes, serial.data());
  ProductError(exact.view(), seen.view(), pool)(row.values.data(), changes, parallel.data());
  CHECK(parallel == serial);
  ProductError(exact.view(), seen.view(), backwards)(row.values.data(), changes, parallel.data());
  CHECK(parallel == serial);
  const MatrixD none = MatrixD::Zero(2, 150);
  std::vector<double> errors(2, 1.0);
  ProductError(exact.view())(row.values.data(), none, errors.data());
  CHECK(errors == std::vector<double>{0, 0});
}

TEST_CASE("a product with other operands is off by what a plain product says") {
  const MatrixF x = as_eigen(random_matrix(150, 20, 35).view()), w = as_eigen(random_matrix(30, 20, 36).view());
  const MatrixF x_hat = 0.99f * x, w_hat = 1.01f * w;
  ThreadPool pool(3);
  for (const bool rows_change : {false, true}) {
    for (const bool weight_changes : {false, true}) {
      const MatrixF& rows = rows_change ? x_hat : x;
      const MatrixF& words = weight_changes ? w_hat : w;
      const MatrixD difference =
          rows.cast<double>() * words.cast<double>().transpose() - x.cast<double>() * w.cast<double>().transpose();
      const double found = squared_product_error(x, w, rows, words);
      CHECK(found == Approx(difference.squaredNorm()).epsilon(1e-9));  // differences a hundredth of the product
      CHECK(squared_product_error(x, w, rows, words, pool) == found);
    }
  }
}
