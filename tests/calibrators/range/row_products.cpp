#include "halfstep/calibrators/range/row_products.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("rows times rows, of views, for any executor") {
  const FloatMatrix a = random_matrix(300, 40, 1), b = random_matrix(30, 50, 2);
  const auto lhs = a.view().col_range(1, 33), rhs = b.view().col_range(9, 33);
  FloatMatrix out(300, 31), again(300, 31);
  multiply_rows<float>(lhs, rhs, out.view().col_range(1, 30), ExecutorRef());
  const FreshThreadsExecutor threads(3);
  multiply_rows<float>(lhs, rhs, again.view().col_range(1, 30), threads);
  CHECK(first_difference(again.view(), out.view()).empty());
  for (Index m = 0; m < 300; ++m) {
    CHECK(out(m, 0) == 0);
    for (Index n = 0; n < 30; ++n) {
      double sum = 0, size = 0;
      for (Index k = 0; k < 33; ++k) {
        const double term = static_cast<double>(lhs(m, k)) * static_cast<double>(rhs(n, k));
        sum += term;
        size += term < 0 ? -term : term;
      }
      CHECK(std::fabs(static_cast<double>(out(m, n + 1)) - sum) <= 34 * 0x1p-24 * size);
    }
  }
}
