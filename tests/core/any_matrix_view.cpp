#include "halfstep/core/any_matrix_view.hpp"

#include <limits>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a list holds matrices of any type and order", "[any_matrix_view]") {
  const hs::MatrixF floats{{1, 2, 3}, {4, 5, 6}};
  const hs::MatrixD doubles{{1, 2, 3}};
  const Eigen::MatrixXf column_major = floats.transpose();
  const std::vector<hs::Half> halves{hs::half_from_float(7), hs::half_from_float(8), hs::half_from_float(9)};
  const hs::MatrixView<const hs::Half> half_view(halves.data(), 1, 3);
  const std::vector<hs::AnyMatrixView> list{floats, doubles, half_view, hs::transposed(column_major)};
  std::vector<float> scratch(3);
  CHECK(list[0].row(1, scratch.data()) == floats.data() + 3);  // where it lies
  CHECK(list[1].shape() == hs::Shape{1, 3});
  CHECK(list[1].row(0, scratch.data())[2] == 3);
  CHECK(list[2].row(0, scratch.data())[1] == 8);
  for (hs::Index c = 0; c < 3; ++c) CHECK(list[3].row(1, scratch.data())[c] == floats(1, c));
  CHECK(hs::checked_copy("test", "m", list[3]) == floats);
  CHECK(list[3].rows() == 2);
  CHECK(list[3].cols() == 3);
}

TEST_CASE("copies of what is not finite are refused by position", "[any_matrix_view]") {
  hs::MatrixD m = hs::MatrixD::Zero(3, 4);
  CHECK(hs::checked_copy("test", "m", m) == hs::MatrixF::Zero(3, 4));
  CHECK(hs::checked_copy("test", "m", hs::MatrixF(0, 5)).cols() == 5);
  m(2, 1) = -std::numeric_limits<double>::infinity();
  CHECK_RAISES(hs::checked_copy("test", "m", m), "test: m is not finite: row 2, column 1 is -inf");
  CHECK_RAISES(hs::AnyMatrixView(hs::MatrixView<const float>(nullptr, 2, 2)), "matrix of shape [2, 2] has no data");
}
