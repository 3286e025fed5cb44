#include "halfstep/calibrators/range/outlier_statistics.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("kurtosis of values that can be counted by hand") {
  FloatMatrix x(2, 4);
  x.values = {1, -1, 1, -1, 1, -1, 1, -1};  // all deviations are 1
  CHECK(outlier_statistics(x.view()).kurtosis == 1);
  x.values = {2, 2, 2, 2, 2, 2, 2, 10};  // mean 3: seven deviations of -1, one of 7
  const double second = (7 + 49) / 8.0, fourth = (7 + 2401) / 8.0;
  CHECK(outlier_statistics(x.view()).kurtosis == fourth / (second * second));
  CHECK(outlier_statistics(x.view()).largest == 10);
  x.values[0] = -11;
  CHECK(outlier_statistics(x.view()).largest == 11);
  CHECK(outlier_statistics(transposed(x.view())).largest == 11);
}

TEST_CASE("kurtosis of normal values is about 3, of a constant 0") {
  const FloatMatrix x = random_matrix(200, 500, 11);
  CHECK(outlier_statistics(x.view()).kurtosis == Approx(3).margin(5 * 0.0155));  // deviation sqrt(24 / 100000)
  FloatMatrix constant(3, 3);
  constant.values.assign(9, 7.5f);
  CHECK(outlier_statistics(constant.view()).kurtosis == 0);
}

TEST_CASE("outlier statistics say what is wrong") {
  FloatMatrix x(2, 3);
  CHECK_RAISES(outlier_statistics(x.view().row_range(0, 0)), "outlier_statistics: matrix has shape [0, 3]");
  x.values[4] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(outlier_statistics(x.view()), "matrix is not finite: row 1, column 1 is nan");
}
