#include "halfstep/core/matrix_view.hpp"

#include <type_traits>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a view addresses elements through its strides", "[matrix_view]") {
  std::vector<float> memory(24);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);

  const hs::MatrixView dense(memory.data(), 4, 6);
  CHECK(dense(2, 3) == 15);
  CHECK(dense.row(3) == memory.data() + 18);
  CHECK(dense.size() == 24);
  CHECK(dense.rows_are_contiguous());
  CHECK_FALSE(dense.empty());

  const hs::MatrixView<float> column_major(memory.data(), 4, 6, 1, 4);
  CHECK(column_major(2, 3) == 14);
  CHECK_FALSE(column_major.rows_are_contiguous());

  const hs::MatrixView<float> repeated(memory.data(), 5, 3, 0, 1);
  CHECK(repeated(4, 2) == 2);

  const hs::MatrixView<float> one_column(memory.data(), 4, 1, 6, 3);
  CHECK(one_column.rows_are_contiguous());

  dense(1, 1) = 100;
  CHECK(memory[7] == 100);
}

TEST_CASE("parts of a view keep its strides", "[matrix_view]") {
  std::vector<int> memory(60);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<int>(i);
  const hs::MatrixView<int> view(memory.data(), 5, 4, 12, 3);
  const auto block = view.block(1, 2, 3, 2);
  CHECK(hs::shape_of(block) == hs::Shape{3, 2});
  for (hs::Index r = 0; r < 3; ++r) {
    for (hs::Index c = 0; c < 2; ++c) CHECK(block(r, c) == view(r + 1, c + 2));
  }
  CHECK(view.row_range(2, 2)(1, 3) == view(3, 3));
  CHECK(view.col_range(1, 3)(4, 2) == view(4, 3));

  const auto turned = hs::transposed(view);
  CHECK(hs::shape_of(turned) == hs::Shape{4, 5});
  for (hs::Index r = 0; r < 5; ++r) {
    for (hs::Index c = 0; c < 4; ++c) CHECK(turned(c, r) == view(r, c));
  }
}

TEST_CASE("a mutable view is a const view, not the other way round", "[matrix_view]") {
  STATIC_REQUIRE(std::is_convertible_v<hs::MatrixView<float>, hs::MatrixView<const float>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<hs::MatrixView<const float>, hs::MatrixView<float>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<hs::MatrixView<float>, hs::MatrixView<const int>>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<hs::MatrixView<float>>);
}

TEST_CASE("a view that cannot be read is refused", "[matrix_view]") {
  float x = 0;
  CHECK_RAISES(hs::require_readable("f", "x", hs::MatrixView<float>(&x, -1, 2)), "halfstep: f: x has shape [-1, 2]");
  CHECK_RAISES(hs::require_readable("f", "x", hs::MatrixView<float>(nullptr, 1, 2)), "has no data (null pointer)");
  CHECK_NOTHROW(hs::require_readable("f", "x", hs::MatrixView<float>(nullptr, 0, 2)));
  CHECK_NOTHROW(hs::require_readable("f", "x", hs::MatrixView<float>()));
}
