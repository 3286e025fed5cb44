// More than 2^31 elements, of which there is one row in memory: counts and positions are 64-bit numbers.

#include <limits>
#include <vector>

#include "halfstep/core/finite.hpp"
#include "halfstep/halfstep.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

constexpr hs::Index many_rows = (hs::Index{1} << 21) + 3, many_cols = 1031;  // 2.16e9 elements
static_assert(many_rows * many_cols > (hs::Index{1} << 31));

}  // namespace

TEST_CASE("extremes of more than 2^31 elements", "[slow]") {
  std::vector<float> row(many_cols, 0.5f);
  row[1030] = -3;
  const hs::MatrixView<const float> all(row.data(), many_rows, many_cols, 0, 1);
  CHECK(all.size() == many_rows * many_cols);
  hs::ThreadPool pool(2);
  hs::MinMax extremes;
  extremes.observe(all, pool);
  CHECK(extremes.range().min == -3);
  CHECK(extremes.range().max == 0.5f);
}

TEST_CASE("counts of more than 2^31 elements", "[slow]") {
  std::vector<float> row(many_cols, 0.5f);
  row[7] = 0.25f;
  const hs::MatrixView<const float> all(row.data(), many_rows, many_cols, 0, 1);
  hs::Histogram seen;
  seen.observe(all);
  CHECK(seen.granules()[0].count() == many_rows * many_cols);
  const hs::ErrorStats stats = hs::compare(all, all);
  CHECK(stats.count() == many_rows * many_cols);
  CHECK(stats.mse() == 0);
}

TEST_CASE("the position of an element beyond 2^31", "[slow]") {
  // One column is stepped through in memory, so that the last row alone can hold another value.
  std::vector<float> column(static_cast<std::size_t>(many_rows), 1.0f);
  column.back() = std::numeric_limits<float>::infinity();
  const hs::MatrixView<const float> all(column.data(), many_rows, many_cols, 1, 0);
  const auto position = hs::find_non_finite(all);
  REQUIRE(position.has_value());
  CHECK(position->row == many_rows - 1);
  CHECK(position->col == 0);
}
