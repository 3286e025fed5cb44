#pragma once

/// \file
/// `matmul`: activations times packed weights, from the codes.
///
/// docs/kernels.md describes the route: rows are encoded into planes, each column block of the weight is brought into
/// a panel that stays in cache, an int8 tile kernel multiplies, and what it leaves in L1 is corrected, scaled and
/// finished before the next tile. Integer sums are of class exact, float outputs ordered: bit-equal to
/// `reference_product` on every instruction set, for any executor, blocking and number of rows.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/block_product.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/tile_default.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What `matmul` does beside multiplying. Not a template: any scalar quantizer converts to `Activation`.
struct MatmulOptions {
  Activation activation = {};        ///< how float activations are encoded; 8 bits fitted to each row by default
  VectorView bias = {};              ///< one per output column, or empty
  Epilogue epilogue = {};            ///< applied after the bias
  ExecutorRef executor = {};         ///< results do not depend on it
  Blocking blocking = {};            ///< nor on this
  const TileKernel* tile = nullptr;  ///< null: the best that this translation unit was compiled for
};

/// Rows `[x.rows]` encoded for w in memory of `workspace`.
[[nodiscard]] inline EncodedRows take_encoded_rows(Workspace& workspace, Index rows, const KLayout& layout,
                                                   const Lowering& lowering) {
  EncodedRows x;
  x.rows = rows;
  x.layout = layout;
  x.plane_count = lowering.plane_count;
  x.row_stride = EncodedRows::stride_for(layout);
  for (int p = 0; p < x.plane_count; ++p) {
    const auto at = static_cast<std::size_t>(p);
    x.plane_weight[at] = lowering.planes[at].weight;
    x.plane[at] = workspace.take<std::uint8_t>(rows * x.row_stride).data();
    x.sum[at] = workspace.take<std::int32_t>(rows * layout.groups()).data();
  }
  x.scale = workspace.take<float>(rows).data();
  x.zero = workspace.take<float>(rows).data();
  return x;
}

/// One product in flight: shapes are checked, what remains is work.
class Product {
 public:
  Product(const PackedMatrix& w, const MatmulOptions& options, MatrixView<float> out, Workspace& workspace)
      : w_(w),
        options_(options),
        tile_(options.tile != nullptr ? *options.tile : default_tile()),
        out_(out),
        workspace_(workspace) {}

  /// Multiplies rows that are encoded; row m goes to row `first_row + m` of the output.
  void run(const EncodedRows& x, Index first_row) const {
    if (x.rows == 0 || w_.rows() == 0) return;
    const Workspace::Scope scope(workspace_);
    PreparedRows rows = prepare(x);
    const bool use_integers = fits_integers(x, w_);
    const Index chunks = (x.rows + options_.blocking.rows - 1) / options_.blocking.rows;
    const Index chunk_rows = (x.rows + chunks - 1) / chunks;
    const Index items = chunks * w_.blocks();
    const Index workers = std::min<Index>(items, worker_count(x.rows));
    const std::span<BlockScratch> scratch = workspace_.take<BlockScratch>(workers);
    for (BlockScratch& one : scratch) {
      one = BlockScratch::take(workspace_, tile_, options_.blocking, chunk_rows,
                               use_integers ? 0 : x.plane_count * w_.plane_count());
    }
    parallel_for(options_.executor, workers, 1, [&](Index begin, Index end) {
      for (Index worker = begin; worker < end; ++worker) {
        const BlockScratch& mine = scratch[static_cast<std::size_t>(worker)];
        const BlockProduct product(tile_, rows, w_, options_.blocking, use_integers, mine);
        for (Index item = worker; item < items; item += workers) {
          const Index chunk = item / w_.blocks(), block = item % w_.blocks();
          const Index first = chunk * chunk_rows, count = std::min(chunk_rows, x.rows - first);
          product.run(block, first, count);
          finish(mine, block, first_row + first, count);
        }
      }
    });
  }

  /// Encodes rows of floats some at a time, and multiplies them.
  template <class T>
  void run(const MatrixView<const T>& x) const {
    constexpr Index rows_at_a_time = 1024;  // their planes stay in L2 or L3 between encoding and multiplying
    for (Index first = 0; first < x.rows; first += rows_at_a_time) {
      const Workspace::Scope scope(workspace_);
      const Index count = std::min(rows_at_a_time, x.rows - first);
      const EncodedRows encoded = take_encoded_rows(workspace_, count, w_.layout(), options_.activation.lowering());
      encode_rows(x.row_range(first, count), encoded);
      run(encoded, first);
    }
  }

 private:
  template <class T>
  void encode_rows(const MatrixView<const T>& x, const EncodedRows& encoded) const {
    const Index workers = std::min<Index>(x.rows, worker_count(x.rows));
    const std::span<float> floats = workspace_.take<float>(2 * workers * x.cols);
    const std::span<std::uint8_t> codes = workspace_.take<std::uint8_t>(workers * x.cols);
    parallel_for(options_.executor, workers, 1, [&](Index begin, Index end) {
      for (Index worker = begin; worker < end; ++worker) {
        float* scratch = floats.data() + 2 * worker * x.cols;
        for (Index m = worker; m < x.rows; m += workers) {
          const float* row = in_order(read_row(x, m, scratch), scratch + x.cols);
          encode_row_into(options_.activation, row, m, encoded, codes.data() + worker * x.cols);
        }
      }
    });
  }

  /// A row with its columns in the order in which the weight reads them.
  [[nodiscard]] const float* in_order(const float* row, float* scratch) const {
    if (w_.input_order().empty()) return row;
    for (std::size_t i = 0; i < w_.input_order().size(); ++i) scratch[i] = row[w_.input_order()[i]];
    return scratch;
  }

  /// Small products stay on the calling thread: waking another costs more than it saves.
  [[nodiscard]] Index worker_count(Index rows) const {
    constexpr Index least_work = Index{1} << 18;  // multiply-adds of one worker
    const Index work = rows * w_.rows() * w_.cols();
    return std::max<Index>(1, std::min<Index>(options_.executor.concurrency(), work / least_work));
  }

  [[nodiscard]] PreparedRows prepare(const EncodedRows& x) const {
    PreparedRows rows{x, {}, x.row_stride};
    if (tile_.prepare_row == nullptr) {
      for (std::size_t p = 0; p < 2; ++p) rows.plane[p] = x.plane[p];
      return rows;
    }
    rows.row_stride = x.row_stride * tile_.row_bytes_per_k;
    for (int p = 0; p < x.plane_count; ++p) {
      const auto at = static_cast<std::size_t>(p);
      std::uint8_t* prepared = workspace_.take<std::uint8_t>(x.rows * rows.row_stride).data();
      for (Index m = 0; m < x.rows; ++m) {
        tile_.prepare_row(x.plane[at] + m * x.row_stride, x.layout.padded_k(), prepared + m * rows.row_stride);
      }
      rows.plane[at] = prepared;
    }
    return rows;
  }

  /// Bias, activation function and the store, for rows [first_row, first_row + row_count) of column block b.
  void finish(const BlockScratch& scratch, Index b, Index first_row, Index row_count) const {
    const Index first = b * PackedMatrix::block_rows;
    const Index columns = std::min(PackedMatrix::block_rows, w_.rows() - first);
    float bias[PackedMatrix::block_rows] = {};
    if (!options_.bias.empty()) std::copy_n(options_.bias.data + first, columns, bias);
    for (Index m = 0; m < row_count; ++m) {
      float* row = scratch.sum + m * PackedMatrix::block_rows;
      for (Index n = 0; n < columns; n += static_cast<Index>(simd::batch_lanes)) {
        simd::FloatBatch y = simd::load<simd::FloatBatch>(row + n);
        if (!options_.bias.empty()) y = y + simd::load<simd::FloatBatch>(bias + n);
        simd::store(row + n, apply_epilogue(options_.epilogue.kind(), y));
      }
      for (Index n = 0; n < columns; ++n) out_(first_row + m, first + n) = row[n];
    }
  }

  const PackedMatrix& w_;
  const MatmulOptions& options_;
  const TileKernel& tile_;
  MatrixView<float> out_;
  Workspace& workspace_;
};

/// Refuses a product whose shapes do not fit.
inline void require_product(Shape x, const PackedMatrix& w, const MatmulOptions& options,
                            const MatrixView<float>& out) {
  if (x.cols != w.cols()) {
    raise("matmul", "x has ", x.cols, " columns, packed weight expects ", w.cols(), " (its in_features)");
  }
  if (!options.bias.empty() && options.bias.size != w.rows()) {
    raise("matmul", "bias has ", options.bias.size, " elements, packed weight has ", w.rows(),
          " rows (its out_features)");
  }
  if (shape_of(out) != Shape{x.rows, w.rows()}) {
    raise("matmul", "out has shape ", shape_of(out), ", expected ", Shape{x.rows, w.rows()});
  }
  if (options.blocking.rows < 1 || options.blocking.panel_k < KLayout::k_step || options.blocking.panel_k > 65536 ||
      options.blocking.panel_k % KLayout::k_step != 0) {
    raise("matmul", "blocking has rows ", options.blocking.rows, " and panel_k ", options.blocking.panel_k,
          ", expected at least 1 row and a panel_k of 16 to 65536 that is a multiple of 16");
  }
}

/// `out = epilogue(x * w^T + bias)`, x `[tokens, in_features]` of float, F16 or BF16, encoded on the way in, out
/// `[tokens, out_features]`. Allocates nothing once `workspace` is warm (a dynamic executor may). x and out may not
/// overlap. A row of x that holds NaN or infinity gives a row of NaN. Class: ordered.
template <Viewable X>
void matmul_into(const X& x, const PackedMatrix& w, MatrixView<float> out, Workspace& workspace,
                 const MatmulOptions& options = {}) {
  const auto source = view(x);
  require_readable("matmul", "x", source);
  require_product(shape_of(source), w, options, out);
  Product(w, options, out, workspace).run(source);
}

/// The same with activations that were encoded before; `options.activation` is not used.
inline void matmul_into(const EncodedMatrix& x, const PackedMatrix& w, MatrixView<float> out, Workspace& workspace,
                        const MatmulOptions& options = {}) {
  require_product({x.rows(), x.cols()}, w, options, out);
  if (!w.input_order().empty()) {
    raise("matmul", "packed weight reads its columns in another order: give it float activations");
  }
  if (x.layout() != w.layout()) {
    raise("matmul", "x is encoded in groups of ", x.layout().group, ", packed weight has groups of ", w.layout().group,
          ": encode(x, activation, ", w.layout().group, ")");
  }
  Product(w, options, out, workspace).run(x.rows_view(), 0);
}

/// `epilogue(x * w^T + bias)` as a new matrix `[tokens, out_features]`: x a matrix of floats, or an `EncodedMatrix`.
template <class X>
[[nodiscard]] MatrixF matmul(const X& x, const PackedMatrix& w, const MatmulOptions& options = {}) {
  Workspace workspace;
  Index rows = 0;
  if constexpr (std::is_same_v<X, EncodedMatrix>) {
    rows = x.rows();
  } else {
    rows = view(x).rows;
  }
  MatrixF out(rows, w.rows());
  matmul_into(x, w, mutable_view(out), workspace, options);
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
