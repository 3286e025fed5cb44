#include "halfstep/layers/eigen_product.hpp"

#include <cmath>

#include "halfstep/layers/float_product.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

namespace {

/// Compares with the plain product within the bound of a float sum of k products, in any order.
void check_product(hs::MatrixView<const float> a, hs::MatrixView<const float> b) {
  FloatMatrix found(a.rows, b.rows + 3), expected(a.rows, b.rows), magnitude(a.rows, b.rows);
  const hs::MatrixView<float> out = found.view().col_range(0, b.rows);
  hs::eigen_product(a, b, out);
  hs::plain_product(a, b, expected.view());
  for (hs::Index m = 0; m < a.rows; ++m) {
    for (hs::Index n = 0; n < b.rows; ++n) {
      double sum = 0;
      for (hs::Index k = 0; k < a.cols; ++k)
        sum += std::fabs(static_cast<double>(a(m, k)) * static_cast<double>(b(n, k)));
      CAPTURE(m, n, a.rows, b.rows, a.cols);
      CHECK(std::fabs(static_cast<double>(out(m, n)) - static_cast<double>(expected(m, n))) <=
            static_cast<double>(a.cols + 1) * 0x1p-24 * sum);
    }
    for (hs::Index n = b.rows; n < b.rows + 3; ++n) CHECK(found(m, n) == 0.0f);
  }
}

}  // namespace

TEST_CASE("eigen_product multiplies by rows, by columns and by strided matrices", "[eigen_product]") {
  for (const hs::Index m : {1, 2, 17, 65}) {
    for (const hs::Index n : {1, 5, 64}) {
      for (const hs::Index k : {1, 16, 33, 128}) {
        const FloatMatrix a = random_matrix(m, k + 1, 81), b = random_matrix(n, k + 2, 82),
                          v = random_matrix(k, n + 5, 83);
        const FloatMatrix odd = random_matrix(2 * n, 3 * k, 84);
        check_product(a.view().col_range(1, k), b.view().col_range(2, k));
        check_product(a.view().col_range(1, k), hs::transposed(v.view().col_range(3, n)));
        check_product(a.view().col_range(0, k), hs::MatrixView<const float>(odd.values.data(), n, k, 6 * k, 3));
      }
    }
  }
}
