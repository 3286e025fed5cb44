#pragma once

/// \file
/// One product in flight: from encoded rows and a packed weight to tiles of float sums, on the threads of an executor.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/block_product.hpp"
#include "halfstep/kernels/combine.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/output_stage.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/product_rows.hpp"
#include "halfstep/kernels/tile_kernel.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// How a product is carried out. Results depend on none of it.
struct ProductPlan {
  const PackedMatrix& w;
  const TileKernel& tile;
  Blocking blocking;
  ExecutorRef executor;
  Workspace& workspace;

  /// How many threads work on `rows` rows. Small products stay on the calling thread: waking another costs more than it
  /// saves.
  [[nodiscard]] Index worker_count(Index rows) const {
    constexpr Index least_work = Index{1} << 18;  // multiply-adds of one worker
    const Index work = rows * w.rows() * w.cols();
    return std::clamp<Index>(work / least_work, 1, executor.concurrency());
  }
};

/// Rows as the tile kernel reads them, in memory of the workspace where they differ from encoded ones.
[[nodiscard]] inline PreparedRows prepare_rows(const ProductPlan& plan, const EncodedRows& x) {
  PreparedRows rows{x, {x.plane[0], x.plane[1]}, x.row_stride};
  if (plan.tile.prepare_row == nullptr) return rows;
  rows.row_stride = x.row_stride * plan.tile.row_bytes_per_k;
  for (std::size_t p = 0; p < static_cast<std::size_t>(x.plane_count); ++p) {
    std::uint8_t* const prepared = plan.workspace.take<std::uint8_t>(x.rows * rows.row_stride).data();
    rows.plane[p] = prepared;
    for_row_bands(plan.executor, x.rows, x.row_stride, plan.worker_count(x.rows), [&](Index, Index begin, Index end) {
      for (Index m = begin; m < end; ++m) {
        plan.tile.prepare_row(x.plane[p] + m * x.row_stride, x.layout.padded_k(), prepared + m * rows.row_stride);
      }
    });
  }
  return rows;
}

/// Multiplies encoded rows, in the layout of the weight, and calls `sink(OutputTile)` for tiles that together are the
/// product `[x.rows, w.rows]`, from several threads at a time. Allocates nothing once the workspace is warm.
template <class Sink>
void run_product(const ProductPlan& plan, const EncodedRows& x, const Sink& sink) {
  if (x.rows == 0 || plan.w.rows() == 0) return;
  const Workspace::Scope scope(plan.workspace);
  const PreparedRows rows = prepare_rows(plan, x);
  const BlockPlan blocks{plan.tile, rows, plan.w, plan.blocking.panel_k, fits_integers(x, plan.w)};
  const Index chunks = (x.rows + plan.blocking.rows - 1) / plan.blocking.rows;
  const Index chunk_rows = (x.rows + chunks - 1) / chunks;
  const Index items = chunks * plan.w.blocks();
  const Index workers = std::min(items, plan.worker_count(x.rows));
  const std::span<BlockScratch> scratch = plan.workspace.take<BlockScratch>(workers);
  for (BlockScratch& one : scratch) one = BlockScratch::take(plan.workspace, blocks, chunk_rows);
  std::atomic<Index> next{0};
  parallel_for(plan.executor, workers, 1, [&](Index begin, Index end) {
    for (Index worker = begin; worker < end; ++worker) {
      const BlockProduct product(blocks, scratch[static_cast<std::size_t>(worker)]);
      for (Index item = next.fetch_add(1); item < items; item = next.fetch_add(1)) {
        const Index chunk = item / plan.w.blocks(), block = item % plan.w.blocks();
        const Index first = chunk * chunk_rows, count = std::min(chunk_rows, x.rows - first);
        const Index col = block * PackedMatrix::block_rows;
        const Index cols = std::min(PackedMatrix::block_rows, plan.w.rows() - col);
        product.run(block, first, count, [&](Index row, Index row_count, float* sums) {
          sink(OutputTile{row, row_count, col, cols, sums});
        });
      }
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
