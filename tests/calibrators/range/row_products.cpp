#include "halfstep/calibrators/range/row_products.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("rows times rows, of views, for any executor") {
  const FloatMatrix x = random_matrix(300, 40, 1), y = random_matrix(30, 50, 2);
  const MatrixD a = as_eigen(x.view()).cast<double>(), b = as_eigen(y.view()).cast<double>();
  const auto lhs = view(a).col_range(1, 33), rhs = view(b).col_range(9, 33);
  MatrixD out = MatrixD::Zero(300, 31), again = out;
  multiply_rows<double>(lhs, rhs, mutable_view(out).col_range(1, 30), ExecutorRef());
  const FreshThreadsExecutor threads(3);
  multiply_rows<double>(lhs, rhs, mutable_view(again).col_range(1, 30), threads);
  CHECK(again == out);
  for (Index m = 0; m < 300; ++m) {
    CHECK(out(m, 0) == 0);
    for (Index n = 0; n < 30; ++n) {
      double sum = 0, size = 0;
      for (Index k = 0; k < 33; ++k) {
        const double term = lhs(m, k) * rhs(n, k);
        sum += term;
        size += term < 0 ? -term : term;
      }
      CHECK(std::fabs(out(m, n + 1) - sum) <= 2 * 34 * 0x1p-53 * size);
    }
  }
}
