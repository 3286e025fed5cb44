#include "halfstep/core/tiling.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

/// Checks a grid against the tiling's own words: elements share a granule exactly if `key` says so, granules are
/// numbered row of granules by row of granules without gaps, and runs of columns are maximal and complete.
template <class Key>
void check_grid(const hs::Tiling& tiling, hs::Shape shape, Key key) {
  const hs::TilingGrid grid(tiling, shape);
  std::map<std::pair<hs::Index, hs::Index>, hs::Index> granule_of;
  std::vector<bool> used(static_cast<std::size_t>(grid.count()));
  for (hs::Index r = 0; r < shape.rows; ++r) {
    for (hs::Index c = 0; c < shape.cols; ++c) {
      const hs::Index granule = grid.granule(r, c);
      REQUIRE(granule >= 0);
      REQUIRE(granule < grid.count());
      used[static_cast<std::size_t>(granule)] = true;
      const auto [at, is_new] = granule_of.try_emplace(key(r, c), granule);
      REQUIRE(at->second == granule);
      REQUIRE(granule == at->first.first * grid.col_tiles() + at->first.second);
    }
    std::vector<hs::Index> seen;
    hs::Index next = 0, last = -1;
    grid.for_each_run(r, [&](hs::Index granule, hs::Index first, hs::Index count) {
      REQUIRE(first == next);
      REQUIRE(count > 0);
      REQUIRE(granule != last);
      for (hs::Index c = first; c < first + count; ++c) REQUIRE(grid.granule(r, c) == granule);
      next = first + count;
      last = granule;
    });
    REQUIRE(next == shape.cols);
  }
  CHECK(granule_of.size() == used.size());
  for (const bool is_used : used) REQUIRE(is_used);
}

}  // namespace

TEST_CASE("each tiling assigns elements as it says", "[tiling]") {
  using Key = std::pair<hs::Index, hs::Index>;
  for (const hs::Index rows : {1, 2, 7, 16, 17}) {
    for (const hs::Index cols : {1, 2, 13, 16, 33}) {
      const hs::Shape shape{rows, cols};
      CAPTURE(rows, cols);
      check_grid(hs::per_tensor(), shape, [](hs::Index, hs::Index) { return Key{0, 0}; });
      check_grid(hs::per_row(), shape, [](hs::Index r, hs::Index) { return Key{r, 0}; });
      check_grid(hs::per_column(), shape, [](hs::Index, hs::Index c) { return Key{0, c}; });
      for (const hs::Index size : {1, 3, 16, 100}) {
        check_grid(hs::per_group(size), shape, [=](hs::Index r, hs::Index c) { return Key{r, c / size}; });
        check_grid(hs::per_row_block(size), shape, [=](hs::Index r, hs::Index) { return Key{r / size, 0}; });
        check_grid(hs::per_column_block(size), shape, [=](hs::Index, hs::Index c) { return Key{0, c / size}; });
        check_grid(hs::per_block(size, 5), shape, [=](hs::Index r, hs::Index c) { return Key{r / size, c / 5}; });
      }
      std::vector<std::int32_t> groups(static_cast<std::size_t>(cols));
      for (hs::Index c = 0; c < cols; ++c) {
        groups[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(c * 7 % 13 % (cols < 3 ? cols : 3));
      }
      if (cols == 2) groups = {1, 0};
      check_grid(hs::per_column_map(groups), shape, [&](hs::Index r, hs::Index c) {
        return Key{r, groups[static_cast<std::size_t>(c)]};
      });
    }
  }
}

TEST_CASE("a matrix without elements has no granules", "[tiling]") {
  for (const hs::Shape shape : {hs::Shape{0, 0}, hs::Shape{0, 5}, hs::Shape{5, 0}}) {
    for (const hs::Tiling& tiling : {hs::per_tensor(), hs::per_row(), hs::per_column(), hs::per_group(4)}) {
      CHECK(hs::TilingGrid(tiling, shape).count() == 0);
    }
  }
}

TEST_CASE("what cannot be tiled is refused", "[tiling]") {
  CHECK_RAISES(hs::per_group(0), "per_group: size is 0, expected at least 1");
  CHECK_RAISES(hs::per_block(2, 0), "per_block: block is [2, 0]");
  CHECK_RAISES(hs::per_row_block(-1), "per_row_block: rows is -1");
  CHECK_RAISES(hs::per_column_block(0), "per_column_block: cols is 0");
  CHECK_RAISES(hs::TilingGrid(hs::per_column_map({0, 1}), {1, 3}),
               "column map has 2 entries, the matrix has 3 columns");
  CHECK_RAISES(hs::TilingGrid(hs::per_column_map({0, 2, 2}), {1, 3}), "column map leaves group 1 of 3 empty");
  CHECK_RAISES(hs::TilingGrid(hs::per_column_map({0, -1, 1}), {1, 3}), "sends column 1 to group -1, expected 0 to 2");
  CHECK_RAISES(hs::TilingGrid(hs::per_column_map({0, 3, 1}), {1, 3}), "sends column 1 to group 3, expected 0 to 2");
  CHECK_RAISES(hs::TilingGrid((hs::Tiling{-1, 2, {}}), {1, 3}), "granule is [-1, 2]");
  CHECK_RAISES(hs::TilingGrid(hs::per_row(), {-1, 3}), "shape is [-1, 3]");
}

TEST_CASE("tilings are values", "[tiling]") {
  CHECK(hs::per_group(4) == hs::per_group(4));
  CHECK_FALSE(hs::per_group(4) == hs::per_group(8));
  CHECK_FALSE(hs::per_column_map({0, 1}) == hs::per_column_map({1, 0}));
  CHECK(hs::per_column_map({0}).is_column_map());
  CHECK_FALSE(hs::per_row().is_column_map());
}
