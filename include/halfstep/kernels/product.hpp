#pragma once

/// \file
/// One product in flight: from encoded rows and a packed weight to tiles of float sums, on the threads of an executor.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/block_product.hpp"
#include "halfstep/kernels/blocking.hpp"
#include "halfstep/kernels/combine.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/float_block.hpp"
#include "halfstep/kernels/float_rows.hpp"
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

/// `tile`, or one of its special kernels that is faster for `rows` rows and weights up to `largest_value`.
[[nodiscard]] inline const TileKernel& tile_for(const TileKernel& tile, Index rows, int largest_value) {
  for (const TileKernel* const* special = tile.special; special != nullptr && *special != nullptr; ++special) {
    if (rows <= (*special)->most_rows && largest_value <= (*special)->largest_value) return **special;
  }
  return tile;
}

/// Rows as the tile kernel reads them, in memory of the workspace where they differ from encoded ones.
[[nodiscard]] inline PreparedRows prepare_rows(const ProductPlan& plan, const TileKernel& tile, const EncodedRows& x) {
  PreparedRows rows{x, {x.plane[0], x.plane[1]}, x.row_stride};
  if (tile.prepare_row == nullptr) return rows;
  rows.row_stride = x.row_stride * tile.row_bytes_per_k;
  for (std::size_t p = 0; p < static_cast<std::size_t>(x.plane_count); ++p) {
    std::uint8_t* const prepared = plan.workspace.take<std::uint8_t>(x.rows * rows.row_stride).data();
    rows.plane[p] = prepared;
    for_row_bands(plan.executor, x.rows, x.row_stride, plan.worker_count(x.rows), [&](Index, Index begin, Index end) {
      for (Index m = begin; m < end; ++m) {
        tile.prepare_row(x.plane[p] + m * x.row_stride, x.layout.padded_k(), prepared + m * rows.row_stride);
      }
    });
  }
  return rows;
}

/// One piece of work: some rows against one column block.
struct ProductItem {
  Index block = 0;
  Index row = 0;
  Index rows = 0;
  Index col = 0;
  Index cols = 0;
};

/// A product cut into pieces of work, which workers take one after the other.
struct ProductItems {
  Index chunks = 0;
  Index chunk_rows = 0;  ///< rows of an item, at most
  Index workers = 0;

  ProductItems(const ProductPlan& plan, Index rows) : rows_(rows) {
    chunks = (rows + plan.blocking.rows - 1) / plan.blocking.rows;
    chunk_rows = (rows + chunks - 1) / chunks;
    workers = std::min(chunks * plan.w.blocks(), plan.worker_count(rows));
  }

  /// Calls `body(worker, item)` for all items, workers at a time from different threads.
  template <class Body>
  void for_each(const ProductPlan& plan, const Body& body) const {
    const Index blocks = plan.w.blocks();
    std::atomic<Index> next{0};
    parallel_for(plan.executor, workers, 1, [&](Index begin, Index end) {
      for (Index worker = begin; worker < end; ++worker) {
        for (Index i = next.fetch_add(1); i < chunks * blocks; i = next.fetch_add(1)) {
          const Index row = i / blocks * chunk_rows, col = i % blocks * PackedMatrix::block_rows;
          body(worker, ProductItem{i % blocks, row, std::min(chunk_rows, rows_ - row), col,
                                   std::min(PackedMatrix::block_rows, plan.w.rows() - col)});
        }
      }
    });
  }

 private:
  Index rows_ = 0;
};

/// Multiplies encoded rows, in the layout of the weight, and calls `sink(OutputTile)` for tiles that together are the
/// product `[x.rows, w.rows]`, from several threads at a time. Allocates nothing once the workspace is warm.
template <class Sink>
void run_product(const ProductPlan& plan, const EncodedRows& x, const Sink& sink) {
  if (x.rows == 0 || plan.w.rows() == 0) return;
  const Workspace::Scope scope(plan.workspace);
  const TileKernel& tile = tile_for(plan.tile, x.rows, plan.w.largest_value());
  const PreparedRows rows = prepare_rows(plan, tile, x);
  const BlockPlan blocks{
      tile, rows, plan.w, plan.blocking.panel_k, fits_integers(x, plan.w), fits_exact_doubles(x, plan.w)};
  const ProductItems items(plan, x.rows);
  const std::span<BlockScratch> scratch = plan.workspace.take<BlockScratch>(items.workers);
  for (BlockScratch& one : scratch) one = BlockScratch::take(plan.workspace, blocks, items.chunk_rows);
  items.for_each(plan, [&](Index worker, const ProductItem& item) {
    const BlockProduct product(blocks, scratch[static_cast<std::size_t>(worker)]);
    product.run(item.block, item.row, item.rows, [&](Index row, Index row_count, float* sums) {
      sink(OutputTile{row, row_count, item.col, item.cols, sums});
    });
  });
}

/// The same for rows that are kept in float.
template <class Sink>
void run_product(const ProductPlan& plan, const FloatRows& x, const Sink& sink) {
  if (x.rows == 0 || plan.w.rows() == 0) return;
  const Workspace::Scope scope(plan.workspace);
  const ProductItems items(plan, x.rows);
  const std::span<FloatBlockScratch> scratch = plan.workspace.take<FloatBlockScratch>(items.workers);
  for (FloatBlockScratch& one : scratch) {
    one = FloatBlockScratch::take(plan.workspace, plan.blocking, plan.w.cols(), items.chunk_rows);
  }
  items.for_each(plan, [&](Index worker, const ProductItem& item) {
    multiply_float_block(x, plan.w, scratch[static_cast<std::size_t>(worker)], item.block, item.row, item.rows,
                         [&](Index row, Index row_count, float* sums) {
                           sink(OutputTile{row, row_count, item.col, item.cols, sums});
                         });
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
