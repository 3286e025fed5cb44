#include "halfstep/calibrators/range/granule_values.hpp"

#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <class T>
std::vector<std::vector<float>> visited(const MatrixView<const T>& matrix, const Tiling& tiling,
                                        ExecutorRef executor = {}) {
  std::vector<std::vector<float>> values(static_cast<std::size_t>(granule_count(tiling, shape_of(matrix))));
  for_each_granule("call", matrix, tiling, executor, [&](Index granule, std::span<const float> seen) {
    auto& target = values.at(static_cast<std::size_t>(granule));
    REQUIRE(target.empty());  // visited once
    target.assign(seen.begin(), seen.end());
  });
  return values;
}

}  // namespace

TEST_CASE("granules are visited once each, their values row by row") {
  const Index rows = GENERATE(1, 2, 7, 40);
  const FloatMatrix matrix = random_matrix(rows, 6, 5);
  for (const Tiling& tiling : all_tilings()) {
    CAPTURE(rows, tiling.tile_rows, tiling.tile_cols, tiling.is_column_map());
    CHECK(visited(matrix.view(), tiling) == values_by_granule(matrix.view(), tiling));
  }
}

TEST_CASE("granules of strided, transposed, wide and 16-bit matrices, with several threads") {
  const FloatMatrix wide = random_matrix(9, 103, 6);
  const auto block = wide.view().block(2, 11, 5, 70);
  const FreshThreadsExecutor threads(3);
  for (const Tiling& tiling : {per_tensor(), per_row(), per_column(), per_group(5), per_group(32), per_block(2, 17)}) {
    CAPTURE(tiling.tile_rows, tiling.tile_cols);
    CHECK(visited(block, tiling, threads) == values_by_granule(block, tiling));
    const MatrixView<const float> turned = transposed(block);
    CHECK(visited(turned, tiling) == values_by_granule(turned, tiling));
  }
  std::vector<Half> halves;
  FloatMatrix rounded(3, 4);
  for (float& x : rounded.values) {
    halves.push_back(half_from_float(0.1f * static_cast<float>(halves.size())));
    x = to_float(halves.back());
  }
  const MatrixView<const Half> half_view(halves.data(), 3, 4);
  CHECK(visited(half_view, per_column()) == values_by_granule(rounded.view(), per_column()));
  CHECK(visited(half_view, per_tensor()) == values_by_granule(rounded.view(), per_tensor()));
}

TEST_CASE("granules of nothing, and values that are not finite, are refused before any visit") {
  FloatMatrix matrix(4, 5);
  const auto visit = [](Index, std::span<const float>) { FAIL("visited"); };
  CHECK_RAISES(for_each_granule("call", read(matrix).row_range(0, 0), per_column(), {}, visit),
               "halfstep: call: matrix of shape [0, 5] has no elements");
  CHECK_RAISES(for_each_granule("call", read(matrix).col_range(0, 0), per_row(), {}, visit), "has no elements");
  matrix.values[13] = std::numeric_limits<float>::quiet_NaN();
  const MatrixView<const float> bad = read(matrix);
  CHECK_RAISES(for_each_granule("call", bad, per_column(), {}, visit), "row 2, column 3 is nan");
  matrix.values[13] = -std::numeric_limits<float>::infinity();
  CHECK_RAISES(for_each_granule("call", bad, per_row(), {}, visit), "row 2, column 3 is -inf");
}
