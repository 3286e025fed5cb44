#pragma once

/// \file
/// The elements of a granule side by side, for calibrators that look at its values more than once.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/tiling.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Receives the values of a granule, row by row.
using GranuleVisitor = FunctionRef<void(Index granule, std::span<const float> values)>;

/// Some granules that share rows and lie side by side, those of row of rectangles `row_tile` from `first_tile` to
/// `last_tile`, or a part of their rows.
struct GranuleBand {
  Index row_tile = 0;
  Index first_tile = 0;
  Index last_tile = 0;
  Index first_row = 0;
  Index last_row = 0;
};

/// The bands of a tiling, numbered row of rectangles by row of rectangles. Narrow granules share a band, so that each
/// cache line of a row-major matrix is read about once.
class GranuleBands {
 public:
  explicit GranuleBands(const TilingGrid& grid, Index rows) : grid_(&grid), rows_(rows) {
    constexpr Index least_width = 16;  // floats of a cache line
    tiles_ = grid.is_column_map() ? grid.col_tiles() : chunk_count(least_width, grid.tile_cols());
    side_by_side_ = chunk_count(grid.col_tiles(), tiles_);
  }

  [[nodiscard]] Index count() const { return grid_->row_tiles() * side_by_side_; }

  [[nodiscard]] GranuleBand operator[](Index i) const {
    const Index row_tile = i / side_by_side_, first_tile = i % side_by_side_ * tiles_;
    const Index first_row = row_tile * grid_->tile_rows();
    return {row_tile, first_tile, std::min(first_tile + tiles_, grid_->col_tiles()), first_row,
            std::min(first_row + grid_->tile_rows(), rows_)};
  }

 private:
  const TilingGrid* grid_;
  Index rows_;
  Index tiles_ = 1;
  Index side_by_side_ = 1;
};

/// Calls `visit` for the granules of one band. Copies them, unless they lie in memory as they are.
template <class T>
void visit_band(const MatrixView<const T>& matrix, const TilingGrid& grid, const GranuleBand& band,
                GranuleVisitor visit) {
  const bool map = grid.is_column_map();
  const Index first_col = map ? 0 : band.first_tile * grid.tile_cols();
  const Index last_col = map ? matrix.cols : std::min(band.last_tile * grid.tile_cols(), matrix.cols);
  const Index base = band.row_tile * grid.col_tiles();
  const auto window = matrix.block(band.first_row, first_col, band.last_row - band.first_row, last_col - first_col);
  if constexpr (std::same_as<T, float>) {
    const bool dense = window.rows_are_contiguous() && (window.rows <= 1 || window.row_stride == window.cols);
    if (dense && band.last_tile - band.first_tile == 1) {
      return visit(base + band.first_tile, {window.data, static_cast<std::size_t>(window.size())});
    }
  }
  std::vector<std::size_t> tile_of(static_cast<std::size_t>(window.cols));  // of each column, within the band
  std::vector<Index> columns(static_cast<std::size_t>(band.last_tile - band.first_tile), 0);
  for (std::size_t c = 0; c < tile_of.size(); ++c) {
    tile_of[c] = static_cast<std::size_t>(grid.col_tile(first_col + static_cast<Index>(c)) - band.first_tile);
    ++columns[tile_of[c]];
  }
  std::vector<std::vector<float>> values(columns.size());
  std::vector<float*> next(columns.size());
  for (std::size_t t = 0; t < values.size(); ++t) {
    values[t].resize(static_cast<std::size_t>(columns[t] * window.rows));
    next[t] = values[t].data();
  }
  std::vector<float> scratch(tile_of.size());
  for (Index r = 0; r < window.rows; ++r) {
    const float* row = read_row(window, r, scratch.data());
    for (std::size_t c = 0; c < tile_of.size(); ++c) *next[tile_of[c]]++ = row[c];
  }
  for (std::size_t t = 0; t < values.size(); ++t) visit(base + band.first_tile + static_cast<Index>(t), values[t]);
}

/// Calls `visit(granule, values)` once for each granule of `tiling` over `matrix` `[rows, cols]`, any number of them at
/// a time, in the name of the call `where`. Values are valid during the call only.
///
/// Errors: a matrix without elements; an element that is not finite, by position; both before the first visit.
template <class T>
void for_each_granule(std::string_view where, const MatrixView<const T>& matrix, const Tiling& tiling,
                      ExecutorRef executor, GranuleVisitor visit) {
  require_readable(where, "matrix", matrix);
  if (matrix.empty()) raise(where, "matrix of shape ", shape_of(matrix), " has no elements");
  const TilingGrid grid(tiling, shape_of(matrix));
  require_finite(where, "matrix", matrix, executor);
  const GranuleBands bands(grid, matrix.rows);
  parallel_for(executor, bands.count(), 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) visit_band(matrix, grid, bands[i], visit);
  });
}

/// The number of granules of `tiling` over a matrix of this shape.
[[nodiscard]] inline Index granule_count(const Tiling& tiling, Shape shape) {
  return TilingGrid(tiling, shape).count();
}

}  // namespace halfstep::inline HALFSTEP_ABI
