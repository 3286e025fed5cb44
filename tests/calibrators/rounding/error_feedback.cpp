#include "halfstep/calibrators/rounding/error_feedback.hpp"

#include <cmath>

#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("error_feedback: T D T^T is the matrix, with its rows in reverse order in the factor") {
  for (const Index size : {1, 5, 64, 130}) {
    for (const Index block : {3, 128}) {
      const MatrixD x = as_eigen(random_matrix(size, 2 * size, 1).view()).cast<double>();
      const MatrixD h = x * x.transpose();  // by position
      LowerFactor<double> factor(size);
      const auto read = [&](Index i, Index j, Index count, double* to) {
        for (Index k = 0; k < count; ++k) to[k] = h(size - 1 - i - k, size - 1 - j);
      };
      REQUIRE(factor.factor(read, PivotRule::positive, 0, {}));
      const ErrorFeedback feedback(factor, block, {});
      double worst = 0;
      for (Index p = 0; p < size; ++p) {
        for (Index q = p; q < size; ++q) {
          double sum = 0;
          for (Index k = q; k < size; ++k) {
            const double left = p == k ? 1.0 : static_cast<double>(feedback.weights(p, k));
            const double right = q == k ? 1.0 : static_cast<double>(feedback.weights(q, k));
            sum += left * right * feedback.pivots[static_cast<std::size_t>(k)];
          }
          worst = std::max(worst, std::fabs(sum - h(p, q)) / std::sqrt(h(p, p) * h(q, q)));
        }
      }
      CHECK(worst <= 2 * 0x1p-24);  // T is rounded to float; by Cauchy and Schwarz rounding errors of rows add to this
    }
  }
}
