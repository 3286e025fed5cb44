#pragma once

/// \file
/// The float tile on plain float matrices: what float layers, Hessians and blocked updates multiply with.
///
///     out (=, +=, -=) a * b^T        a [m, k], b [n, k], out [m, n]
///
/// Column blocks of 64 by rows, each with a panel of a piece of K that is filled from b and stays in cache. Every
/// output is one chain of `multiply_add` over ascending k that starts from 0 or from what was there. Class: bounded,
/// bit-equal for any executor, and on all builds whose `multiply_add` rounds equally often. Error: at most `2 k 2^-24
/// sum_k |a_k b_k|` to first order.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/float_panel.hpp"
#include "halfstep/kernels/float_tile.hpp"
#include "halfstep/kernels/lines.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// How a dense product is carried out.
struct DenseProductOptions {
  TileUpdate update = TileUpdate::set;
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// One worker of a dense product.
class DenseBlock {
 public:
  static constexpr Index columns = 64;   ///< of out at a time: four lane tiles
  static constexpr Index rows = 256;     ///< of a that share a filled panel
  static constexpr Index piece_k = 256;  ///< K of a panel: a lane tile of it takes half of an L1 of 32 KiB
  static constexpr Index scratch_size = columns * piece_k + rows * columns;

  DenseBlock(MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> out, TileUpdate update,
             float* scratch)
      : a_(a), b_(b), out_(out), update_(update), panel_(scratch), sums_(scratch + columns * piece_k) {}

  /// Rows from `row`, columns from `col` on, as many as a block has.
  void run(Index row, Index col) const {
    const Index count = std::min(rows, out_.rows - row), width = std::min(columns, out_.cols - col);
    const Index tiles = (width + lane_tile_rows - 1) / lane_tile_rows;
    if (update_ != TileUpdate::set) move_sums(row, count, col, width, Way::in);
    Index k = 0;
    do {  // once even for a K of 0
      const Index length = std::min(piece_k, a_.cols - k);
      for (Index t = 0; t < tiles; ++t) {
        const Index first = col + t * lane_tile_rows, used = std::min(lane_tile_rows, out_.cols - first);
        float* const panel = panel_ + t * lane_tile_rows * piece_k;
        fill_lane_tile_from(b_.block(first, k, used, length), used, panel);
        multiply(count, {a_.row(row) + k, a_.row_stride, panel, length, sums_ + t * lane_tile_rows, columns}, k == 0);
      }
      k += length;
    } while (k < a_.cols);
    move_sums(row, count, col, width, Way::out);
  }

 private:
  enum class Way { in, out };

  void multiply(Index count, const FloatTile& at, bool is_first) const {
    if (update_ == TileUpdate::subtract) return multiply_float_tile<TileUpdate::subtract>(count, at);
    if (update_ == TileUpdate::set && is_first) return multiply_float_tile<TileUpdate::set>(count, at);
    multiply_float_tile<TileUpdate::add>(count, at);
  }

  void move_sums(Index row, Index count, Index col, Index width, Way way) const {
    for (Index m = 0; m < count; ++m) {
      float* const sums = sums_ + m * columns;
      float* const out = out_.row(row + m) + col;
      way == Way::in ? std::copy_n(out, width, sums) : std::copy_n(sums, width, out);
    }
  }

  MatrixView<const float> a_, b_;
  MatrixView<float> out_;
  TileUpdate update_;
  float* panel_;
  float* sums_;
};

/// `out` becomes `a b^T`, or that is added to it or taken from it. Rows of a and out contiguous; b in any strides, fast
/// where its rows or its columns are contiguous. out may overlap neither a nor b. Allocates nothing once `workspace` is
/// warm.
///
/// Errors: shapes that do not fit; rows of a or out that are not contiguous.
inline void dense_product_into(MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> out,
                               Workspace& workspace, const DenseProductOptions& options = {}) {
  if (a.cols != b.cols || out.rows != a.rows || out.cols != b.rows) {
    raise("dense_product", "a has shape ", shape_of(a), ", b ", shape_of(b), " and out ", shape_of(out),
          ", expected [m, k], [n, k] and [m, n]");
  }
  if (!a.rows_are_contiguous() || !out.rows_are_contiguous()) {
    raise("dense_product", "rows of a and out must be contiguous, their column strides are ", a.col_stride, " and ",
          out.col_stride);
  }
  if (out.rows == 0 || out.cols == 0) return;
  const Workspace::Scope scope(workspace);
  const Index row_blocks = (out.rows + DenseBlock::rows - 1) / DenseBlock::rows;
  const Index items = row_blocks * ((out.cols + DenseBlock::columns - 1) / DenseBlock::columns);
  constexpr Index least_work = Index{1} << 17;  // multiply-adds that waking a thread pays for
  const Index work = out.rows * out.cols * a.cols;
  const Index workers = std::clamp<Index>(work / least_work, 1, std::min<Index>(items, options.executor.concurrency()));
  const std::span<float> scratch = workspace.take<float>(workers * DenseBlock::scratch_size);
  std::atomic<Index> next{0};
  parallel_for(options.executor, workers, 1, [&](Index begin, Index end) {
    for (Index worker = begin; worker < end; ++worker) {
      const DenseBlock block(a, b, out, options.update, scratch.data() + worker * DenseBlock::scratch_size);
      for (Index item = next.fetch_add(1); item < items; item = next.fetch_add(1)) {
        block.run(item % row_blocks * DenseBlock::rows, item / row_blocks * DenseBlock::columns);
      }
    }
  });
}

/// `out = a b^T` on the calling thread, as engines take float products; scratch memory is kept per thread.
inline void dense_product(MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> out) {
  thread_local Workspace workspace;
  dense_product_into(a, b, out, workspace);
}

}  // namespace halfstep::inline HALFSTEP_ABI
