#pragma once

/// \file
/// Which elements of a matrix share the parameters of one quantizer.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Assigns each element of a matrix to a granule: a rectangle of `tile_rows` x `tile_cols` elements (the last row or
/// column of rectangles may be cut short), or, where `column_groups` is not empty, `tile_rows` rows times the columns
/// that the map gives the same group (the files of act-order checkpoints need that).
///
/// A value without reference to a matrix: 0 stands for "all rows" and "all columns" and is resolved against a shape.
/// Granules are numbered row of rectangles by row of rectangles.
struct Tiling {
  Index tile_rows = 0;                      ///< rows of a granule; 0: all of them
  Index tile_cols = 0;                      ///< columns of a granule; 0: all of them
  std::vector<std::int32_t> column_groups;  ///< group of each column, 0 .. groups - 1; empty: rectangles
  friend bool operator==(const Tiling&, const Tiling&) = default;

  [[nodiscard]] bool is_column_map() const { return !column_groups.empty(); }
};

/// One granule for the whole matrix.
[[nodiscard]] inline Tiling per_tensor() { return {}; }
/// One granule per row: an output channel of a weight, a token of an activation.
[[nodiscard]] inline Tiling per_row() { return {1, 0, {}}; }
/// One granule per column: a channel of an activation.
[[nodiscard]] inline Tiling per_column() { return {0, 1, {}}; }
/// Groups of `size` consecutive elements along a row; the last group of a row may be shorter.
[[nodiscard]] inline Tiling per_group(Index size) {
  if (size < 1) raise("per_group", "size is ", size, ", expected at least 1");
  return {1, size, {}};
}
/// Blocks of `rows` x `cols` elements.
[[nodiscard]] inline Tiling per_block(Index rows, Index cols) {
  if (rows < 1 || cols < 1) raise("per_block", "block is ", Shape{rows, cols}, ", expected sizes of at least 1");
  return {rows, cols, {}};
}
/// Blocks of `rows` whole rows: the heads of a weight whose output is split by heads.
[[nodiscard]] inline Tiling per_row_block(Index rows) {
  if (rows < 1) raise("per_row_block", "rows is ", rows, ", expected at least 1");
  return {rows, 0, {}};
}
/// Blocks of `cols` whole columns: the heads of an activation `[tokens, heads * head_size]`.
[[nodiscard]] inline Tiling per_column_block(Index cols) {
  if (cols < 1) raise("per_column_block", "cols is ", cols, ", expected at least 1");
  return {0, cols, {}};
}
/// Each row has one granule per group of columns, `groups[c]` being the group of column c. Every group from 0 to the
/// largest must have a column.
[[nodiscard]] inline Tiling per_column_map(std::vector<std::int32_t> groups) { return {1, 0, std::move(groups)}; }

/// A tiling resolved against a shape: how many granules there are, and which one element (r, c) belongs to.
class TilingGrid {
 public:
  /// Errors: negative sizes; a column map that does not have one entry per column, or leaves a group empty.
  TilingGrid(const Tiling& tiling, Shape shape) : shape_(shape), map_(tiling.column_groups) {
    if (shape.rows < 0 || shape.cols < 0) raise("Tiling", "shape is ", shape, ", expected sizes of at least 0");
    if (tiling.tile_rows < 0 || tiling.tile_cols < 0) {
      raise("Tiling", "granule is ", Shape{tiling.tile_rows, tiling.tile_cols}, ", expected sizes of at least 0");
    }
    tile_rows_ = tiling.tile_rows > 0 ? tiling.tile_rows : (shape.rows > 0 ? shape.rows : 1);
    tile_cols_ = tiling.tile_cols > 0 ? tiling.tile_cols : (shape.cols > 0 ? shape.cols : 1);
    row_tiles_ = tiles_of(shape.rows, tile_rows_);
    col_tiles_ = map_.empty() ? tiles_of(shape.cols, tile_cols_) : count_groups();
  }

  [[nodiscard]] Shape shape() const { return shape_; }
  /// Number of granules; 0 where the matrix has no elements.
  [[nodiscard]] Index count() const { return row_tiles_ * col_tiles_; }
  /// Granules one above the other in a column of the matrix.
  [[nodiscard]] Index row_tiles() const { return row_tiles_; }
  /// Granules side by side in one row of the matrix.
  [[nodiscard]] Index col_tiles() const { return col_tiles_; }
  /// Rows of a granule; the last one may have fewer.
  [[nodiscard]] Index tile_rows() const { return tile_rows_; }
  /// Columns of a rectangular granule; the last one may have fewer.
  [[nodiscard]] Index tile_cols() const { return tile_cols_; }
  [[nodiscard]] bool is_column_map() const { return !map_.empty(); }

  /// Which of the `col_tiles()` granules of its row column c belongs to.
  [[nodiscard]] Index col_tile(Index c) const {
    return map_.empty() ? c / tile_cols_ : static_cast<Index>(map_[static_cast<std::size_t>(c)]);
  }
  /// The granule of element (r, c).
  [[nodiscard]] Index granule(Index r, Index c) const { return (r / tile_rows_) * col_tiles_ + col_tile(c); }

  /// Calls `visit(granule, first_col, col_count)` for the runs of columns of row r that share a granule, left to right.
  template <class Visit>
  void for_each_run(Index r, Visit&& visit) const {
    const Index base = (r / tile_rows_) * col_tiles_;
    for (Index c = 0; c < shape_.cols;) {
      const Index tile = col_tile(c);
      Index end = c + 1;
      if (map_.empty()) {
        end = shape_.cols - c > tile_cols_ ? c + tile_cols_ : shape_.cols;
      } else {
        while (end < shape_.cols && col_tile(end) == tile) ++end;
      }
      visit(base + tile, c, end - c);
      c = end;
    }
  }

 private:
  [[nodiscard]] static Index tiles_of(Index count, Index tile) { return count / tile + (count % tile != 0 ? 1 : 0); }

  [[nodiscard]] Index count_groups() const {
    if (static_cast<Index>(map_.size()) != shape_.cols) {
      raise("Tiling", "column map has ", map_.size(), " entries, the matrix has ", shape_.cols, " columns");
    }
    std::vector<bool> is_used;
    for (std::size_t c = 0; c < map_.size(); ++c) {
      if (map_[c] < 0 || map_[c] >= static_cast<std::int32_t>(map_.size())) {
        raise("Tiling", "column map sends column ", c, " to group ", map_[c], ", expected 0 to ", map_.size() - 1);
      }
      const auto group = static_cast<std::size_t>(map_[c]);
      if (group >= is_used.size()) is_used.resize(group + 1);
      is_used[group] = true;
    }
    for (std::size_t g = 0; g < is_used.size(); ++g) {
      if (!is_used[g]) raise("Tiling", "column map leaves group ", g, " of ", is_used.size(), " empty");
    }
    return static_cast<Index>(is_used.size());
  }

  Shape shape_;
  std::vector<std::int32_t> map_;
  Index tile_rows_ = 1;
  Index tile_cols_ = 1;
  Index row_tiles_ = 0;
  Index col_tiles_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
