#pragma once

/// \file
/// The product of some rows of floats with one column block of a packed weight, whose values fill panels of floats.
///
///     for each piece of K that fits the cache:
///       fill the panel from the packed lines
///       for each lane tile, for each row tile:  multiply into float sums
///     hand the sums on, a row tile at a time
///
/// What a row's sums are depends on that row alone: see kernels/float_tile.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/blocking.hpp"
#include "halfstep/kernels/float_panel.hpp"
#include "halfstep/kernels/float_rows.hpp"
#include "halfstep/kernels/float_tile.hpp"
#include "halfstep/kernels/packed_matrix.hpp"

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

/// Scratch memory of one worker.
struct FloatBlockScratch {
  Index piece_k = 0;       ///< elements of a piece of K, at most
  float* panel = nullptr;  ///< `[4, piece_k + slack, 16]`
  float* sums = nullptr;   ///< `[rows, 64]`

  /// K of a panel: a lane tile of it takes half of an L1 of 32 KiB where a byte panel takes L2.
  [[nodiscard]] static Index piece_of(const Blocking& blocking, Index k) {
    const Index piece = std::max<Index>(2 * KLayout::k_step, blocking.panel_k / 8);
    return std::min(piece, KLayout::padded(k));
  }
  static FloatBlockScratch take(Workspace& workspace, const Blocking& blocking, Index k, Index rows) {
    FloatBlockScratch scratch;
    scratch.piece_k = piece_of(blocking, k);
    scratch.panel = workspace.take<float>(scratch.tile_stride() * 4).data();
    scratch.sums = workspace.take<float>(rows * PackedMatrix::block_rows).data();
    return scratch;
  }
  /// From a lane tile of the panel to the next one.
  [[nodiscard]] Index tile_stride() const { return (piece_k + float_panel_slack) * lane_tile_rows; }
};

/// Rows [first_row, first_row + row_count) of `x` against column block b. Calls `finish(row, count, sums)` with the
/// sums `[count, 64]` of rows [row, row + count), which it may change.
template <class Finish>
void multiply_float_block(const FloatRows& x, const PackedMatrix& w, const FloatBlockScratch& scratch, Index b,
                          Index first_row, Index row_count, Finish&& finish) {
  const Index k = w.cols();
  Index begin = 0;
  do {  // once even for a K of 0, whose sums are 0
    const Index end = end_of_float_piece(w.layout(), begin, scratch.piece_k);
    fill_float_panel(w, b, begin, end, scratch.panel, scratch.tile_stride());
    for (Index t = 0; t < w.tiles(b); ++t) {
      const FloatTile at{x.row(first_row) + begin,
                         x.row_stride,
                         scratch.panel + t * scratch.tile_stride(),
                         end - begin,
                         scratch.sums + t * lane_tile_rows,
                         PackedMatrix::block_rows};
      if (begin == 0) {
        multiply_float_tile<TileUpdate::set>(row_count, at);
      } else {
        multiply_float_tile<TileUpdate::add>(row_count, at);
      }
    }
    begin = end;
  } while (begin < k);
  for (Index m = 0; m < row_count; m += FloatTile::max_rows) {
    finish(first_row + m, std::min<Index>(FloatTile::max_rows, row_count - m),
           scratch.sums + m * PackedMatrix::block_rows);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
