#include "halfstep/core/eigen.hpp"

#include <unsupported/Eigen/CXX11/Tensor>

#include <type_traits>
#include <vector>

#include "halfstep/core/read_row.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

/// element (r, c) = 100 r + c
template <class M>
M counted(hs::Index rows, hs::Index cols) {
  M m(rows, cols);
  for (hs::Index r = 0; r < rows; ++r) {
    for (hs::Index c = 0; c < cols; ++c) m(r, c) = static_cast<typename M::Scalar>(static_cast<float>(100 * r + c));
  }
  return m;
}

/// Whether `view` reads row_0 + r * row_step + c * col_step ... at every element.
template <class View, class Expected>
bool reads(const View& view, hs::Shape shape, Expected expected) {
  if (hs::shape_of(view) != shape) return false;
  for (hs::Index r = 0; r < shape.rows; ++r) {
    for (hs::Index c = 0; c < shape.cols; ++c) {
      if (hs::element_to_float(view(r, c)) != static_cast<float>(expected(r, c))) return false;
    }
  }
  return true;
}

const auto plain = [](hs::Index r, hs::Index c) { return 100 * r + c; };

}  // namespace

TEST_CASE("matrices of either storage order, maps and blocks are viewed in place", "[eigen]") {
  const auto row_major = counted<hs::MatrixF>(4, 5);
  const auto column_major = counted<ColumnMajor>(4, 5);
  CHECK(reads(hs::view(row_major), {4, 5}, plain));
  CHECK(hs::view(row_major).data == row_major.data());
  CHECK(reads(hs::view(column_major), {4, 5}, plain));
  CHECK(hs::view(column_major).data == column_major.data());

  const auto shifted = [](hs::Index r, hs::Index c) { return 100 * (r + 1) + c + 2; };
  CHECK(reads(hs::view(row_major.block(1, 2, 3, 2)), {3, 2}, shifted));
  CHECK(reads(hs::view(column_major.block(1, 2, 3, 2)), {3, 2}, shifted));
  CHECK(reads(hs::view(row_major.topRows(2)), {2, 5}, plain));
  CHECK(reads(hs::view(row_major.transpose()), {5, 4}, [](hs::Index r, hs::Index c) { return 100 * c + r; }));

  using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Map<const hs::MatrixF, 0, Stride> map(row_major.data(), 2, 3, Stride(10, 2));
  CHECK(reads(hs::view(map), {2, 3}, [](hs::Index r, hs::Index c) { return 200 * r + 2 * c; }));

  const Eigen::Matrix<float, 2, 3> fixed = counted<ColumnMajor>(2, 3);
  CHECK(reads(hs::view(fixed), {2, 3}, plain));
}

TEST_CASE("a vector is one row, an array a matrix", "[eigen]") {
  const Eigen::VectorXf column = Eigen::VectorXf::LinSpaced(5, 0, 4);
  const auto across = [](hs::Index, hs::Index c) { return c; };
  CHECK(reads(hs::view(column), {1, 5}, across));
  CHECK(reads(hs::view(column.transpose().eval()), {1, 5}, across));
  const auto matrix = counted<hs::MatrixF>(4, 5);
  CHECK(reads(hs::view(matrix.col(2)), {1, 4}, [](hs::Index, hs::Index c) { return 100 * c + 2; }));
  const Eigen::ArrayXXf array = counted<ColumnMajor>(3, 2).array();
  CHECK(reads(hs::view(array), {3, 2}, plain));
}

TEST_CASE("doubles and 16-bit floats keep their type", "[eigen]") {
  const auto doubles = counted<hs::MatrixD>(2, 3);
  CHECK(reads(hs::view(doubles), {2, 3}, plain));
  STATIC_REQUIRE(std::is_same_v<hs::ViewedElement<hs::MatrixD>, double>);
  const auto halves = counted<Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic>>(2, 3);
  CHECK(reads(hs::view(halves), {2, 3}, plain));
  STATIC_REQUIRE(std::is_same_v<hs::ViewedElement<decltype(halves)>, hs::Half>);
  const auto bfloats = counted<Eigen::Matrix<Eigen::bfloat16, Eigen::Dynamic, Eigen::Dynamic>>(2, 3);
  CHECK(reads(hs::view(bfloats), {2, 3}, plain));
  STATIC_REQUIRE(std::is_same_v<hs::ViewedElement<decltype(bfloats)>, hs::BFloat16>);
}

TEST_CASE("the leading axes of a tensor map are rows", "[eigen]") {
  std::vector<float> memory(24);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  const Eigen::TensorMap<Eigen::Tensor<float, 3, Eigen::RowMajor>> three(memory.data(), 2, 3, 4);
  CHECK(reads(hs::view(three), {6, 4}, [](hs::Index r, hs::Index c) { return 4 * r + c; }));
  const Eigen::TensorMap<const Eigen::Tensor<float, 2>> column_major(memory.data(), 4, 6);
  CHECK(reads(hs::view(column_major), {4, 6}, [](hs::Index r, hs::Index c) { return r + 4 * c; }));
  const Eigen::TensorMap<Eigen::Tensor<float, 1, Eigen::RowMajor>> one(memory.data(), 24);
  CHECK(reads(hs::view(one), {1, 24}, [](hs::Index, hs::Index c) { return c; }));
  Eigen::TensorMap<Eigen::Tensor<float, 2, Eigen::RowMajor>> written(memory.data(), 4, 6);
  hs::mutable_view(written)(1, 2) = -1;
  CHECK(memory[8] == -1);
}

TEST_CASE("what can be written is viewed for writing", "[eigen]") {
  auto matrix = counted<hs::MatrixF>(3, 4);
  hs::mutable_view(matrix)(2, 1) = -1;
  CHECK(matrix(2, 1) == -1);
  auto block = matrix.rightCols(2);
  hs::mutable_view(block)(0, 1) = -2;
  CHECK(matrix(0, 3) == -2);
  STATIC_REQUIRE(hs::WritableMatrix<hs::MatrixF>);
  STATIC_REQUIRE(hs::WritableMatrix<ColumnMajor>);
  STATIC_REQUIRE(hs::WritableMatrix<hs::MatrixView<float>>);
  STATIC_REQUIRE_FALSE(hs::WritableMatrix<const hs::MatrixF>);
  STATIC_REQUIRE_FALSE(hs::WritableMatrix<hs::MatrixView<const float>>);
  STATIC_REQUIRE_FALSE(hs::WritableMatrix<hs::MatrixD>);
}

TEST_CASE("what can be viewed is told by a concept", "[eigen]") {
  STATIC_REQUIRE(hs::Viewable<hs::MatrixF>);
  STATIC_REQUIRE(hs::Viewable<hs::MatrixView<float>>);
  STATIC_REQUIRE(hs::Viewable<Eigen::VectorXf>);
  STATIC_REQUIRE_FALSE(hs::Viewable<std::vector<float>>);
  STATIC_REQUIRE_FALSE(hs::Viewable<int>);
}

TEST_CASE("a view goes back to Eigen, transposed or not", "[eigen]") {
  const auto column_major = counted<ColumnMajor>(3, 4);
  const auto map = hs::as_eigen(hs::view(column_major));
  CHECK(map.data() == column_major.data());
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < 4; ++c) CHECK(map(r, c) == column_major(r, c));
  }
  CHECK(reads(hs::transposed(column_major), {4, 3}, [](hs::Index r, hs::Index c) { return 100 * c + r; }));
}
