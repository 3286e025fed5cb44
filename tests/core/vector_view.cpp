#include "halfstep/core/vector_view.hpp"

#include <array>
#include <span>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a vector view converts from what holds floats side by side", "[vector_view]") {
  const std::vector<float> vector{1, 2, 3};
  const std::array<float, 2> array{4, 5};
  const Eigen::VectorXf column = Eigen::VectorXf::LinSpaced(4, 0, 3);
  const hs::MatrixF matrix = hs::MatrixF::Constant(3, 5, 7);
  const auto last = [](hs::VectorView v) { return v.empty() ? -1.0f : v[v.size - 1]; };
  CHECK(last(vector) == 3);
  CHECK(last(array) == 5);
  CHECK(last(std::span<const float>(vector).first(2)) == 2);
  CHECK(last(column) == 3);
  CHECK(last(matrix.row(1)) == 7);
  CHECK(last({}) == -1);
  CHECK(hs::VectorView(column).data == column.data());
}

TEST_CASE("a vector whose elements are apart is refused", "[vector_view]") {
  const hs::MatrixF matrix = hs::MatrixF::Constant(3, 5, 7);
  CHECK_RAISES(hs::VectorView(matrix.col(1)), "vector has stride 5, expected 1: copy it first");
  const hs::MatrixF single = hs::MatrixF::Constant(1, 5, 7);
  CHECK(hs::VectorView(single.col(1)).size == 1);
}

TEST_CASE("a mutable vector view writes through, and reads as a vector view", "[vector_view]") {
  std::vector<float> vector{1, 2, 3};
  Eigen::VectorXf column = Eigen::VectorXf::Zero(2);
  const hs::MutableVectorView view(vector);
  view[1] = 9;
  CHECK(vector[1] == 9);
  const hs::MutableVectorView of_column = column;
  of_column[0] = 4;
  CHECK(column[0] == 4);
  const hs::VectorView read = view;
  CHECK(read[1] == 9);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<hs::MutableVectorView, const std::vector<float>&>);
}
