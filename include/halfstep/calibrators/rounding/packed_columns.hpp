#pragma once

/// \file
/// The columns of a square matrix as the left operand of the register tile.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/simd/real_tile.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Which elements of a column are kept.
enum class ColumnExtent {
  whole,
  above_diagonal,  ///< rows up to the end of the column's block; those from the diagonal on are 0
};

/// A `[size, size]` matrix whose columns come in blocks of `block`, and within a block in bundles of `height` columns,
/// each `[rows][height]`; the last bundle of a block is filled up with zeros.
template <class T>
class PackedColumns {
 public:
  using Tile = simd::RealTile<T>;
  static constexpr Index height = Tile::height;

  /// An empty matrix.
  PackedColumns() = default;

  /// Writes the first `rows` elements of columns `[q, q + columns)`, element (p, q + h) to `to[p * height + h]`.
  using ReadBundle = FunctionRef<void(Index q, Index columns, Index rows, T* to)>;

  /// `read` is asked for whole columns, or for all rows above the last column's diagonal: what it gives on and below
  /// the diagonal counts as 0 then.
  PackedColumns(Index size, Index block, ColumnExtent extent, ReadBundle read, ExecutorRef executor)
      : size_(size), block_(block), extent_(extent) {
    Index start = 0;
    for (Index b = 0; b < blocks(); ++b) {
      starts_.push_back(start);
      start += bundles(b) * rows(b) * height;
    }
    values_.reset(start);
    parallel_for(executor, blocks(), 1, [&](Index first, Index last) {
      for (Index b = first; b < last; ++b) {
        for (Index i = 0; i < bundles(b); ++i) fill(b, i, read);
      }
    });
  }

  [[nodiscard]] Index size() const { return size_; }
  [[nodiscard]] Index block() const { return block_; }
  [[nodiscard]] ColumnExtent extent() const { return extent_; }
  [[nodiscard]] Index blocks() const { return chunk_count(size_, block_); }
  /// The first column of block b, and the one after its last.
  [[nodiscard]] Index begin(Index b) const { return b * block_; }
  [[nodiscard]] Index end(Index b) const { return std::min((b + 1) * block_, size_); }
  [[nodiscard]] Index bundles(Index b) const { return chunk_count(end(b) - begin(b), height); }
  /// Rows that the bundles of block b hold.
  [[nodiscard]] Index rows(Index b) const { return extent_ == ColumnExtent::whole ? size_ : end(b); }

  /// Bundle i of block b, `[rows(b)][height]`.
  [[nodiscard]] const T* bundle(Index b, Index i) const {
    return values_.data() + starts_[static_cast<std::size_t>(b)] + i * rows(b) * height;
  }
  /// Element (p, q). Unchecked, and slow.
  [[nodiscard]] T operator()(Index p, Index q) const {
    const Index b = q / block_, column = q - begin(b);
    return p < rows(b) ? bundle(b, column / height)[p * height + column % height] : T(0);
  }

  /// Adds `sum_{k in [first, last)} x[k][r] * element(k, q)` to `sums[q - begin(b)][r]` for the columns q of block b
  /// and r < `width`: `x` is a strip of rows, `[size][width]`, and `sums` has `bundles(b) * height` columns.
  void multiply(Index b, Index first, Index last, const T* x, T* sums) const {
    for (Index i = 0; i < bundles(b); ++i) {
      Tile::add(last - first, bundle(b, i) + first * height, height, x + first * Tile::width,
                sums + i * height * Tile::width);
    }
  }

 private:
  void fill(Index b, Index i, ReadBundle read) {
    T* const to = values_.data() + starts_[static_cast<std::size_t>(b)] + i * rows(b) * height;
    const Index q = begin(b) + i * height, columns = std::min(height, end(b) - q);
    const Index kept = extent_ == ColumnExtent::whole ? size_ : q + columns - 1;
    if (columns < height) std::fill(to, to + kept * height, T(0));
    std::fill(to + kept * height, to + rows(b) * height, T(0));
    read(q, columns, kept, to);
    if (extent_ == ColumnExtent::whole) return;
    for (Index h = 0; h < columns; ++h) {
      for (Index p = q + h; p < kept; ++p) to[p * height + h] = T(0);
    }
  }

  Index size_ = 0;
  Index block_ = 1;
  ColumnExtent extent_ = ColumnExtent::whole;
  std::vector<Index> starts_;
  AlignedBuffer<T> values_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
