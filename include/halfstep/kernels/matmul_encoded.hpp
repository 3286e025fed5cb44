#pragma once

/// \file
/// The requantizing product: what comes out is encoded for the next product, without a float matrix in between.
///
/// Under a static quantizer each tile of sums is encoded where it lies, in L1. Under one that is fitted to each row, as
/// many rows as share a panel are multiplied into scratch memory that stays in cache, then encoded.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/output_stage.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/product.hpp"
#include "halfstep/kernels/product_rows.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// The lowest row that was not finite, noted from several threads.
class FirstBadRow {
 public:
  void note(Index row) {
    Index lowest = row_.load(std::memory_order_relaxed);
    while (row < lowest && !row_.compare_exchange_weak(lowest, row, std::memory_order_relaxed)) {
    }
  }
  void require_none() const {
    const Index row = row_.load();
    if (row == none) return;
    raise("matmul_encoded", "row ", row, " of the product is not finite: it has no codes");
  }

 private:
  static constexpr Index none = std::numeric_limits<Index>::max();
  std::atomic<Index> row_{none};
};

/// Encodes tiles under one quantizer for all rows.
class TileEncoder {
 public:
  TileEncoder(const Activation& next, const EncodedRowsOut& out, FirstBadRow& bad)
      : next_(next), out_(out), bad_(bad) {}

  void encode(const OutputTile& tile) const {
    std::array<std::uint8_t, PackedMatrix::block_rows> codes, bytes;
    for (Index r = 0; r < tile.rows; ++r) {
      const Index row = tile.row + r;
      if (!simd::is_finite(next_.encode(tile.sums_of(r), tile.cols, codes.data()).unit)) bad_.note(row);
      for (int p = 0; p < out_.plane_count; ++p) {
        next_.plane_map(p).apply(codes.data(), tile.cols, bytes.data());
        place(bytes.data(), tile, out_.plane[static_cast<std::size_t>(p)] + row * out_.row_stride);
      }
    }
  }

  /// What a row needs once all its tiles are encoded: padding, sums, scale and zero.
  void finish(Index row) const {
    for (int p = 0; p < out_.plane_count; ++p) {
      zero_padding(out_.layout, out_.row_stride, out_.plane[static_cast<std::size_t>(p)] + row * out_.row_stride);
    }
    sum_planes(out_, row);
    out_.scale[row] = next_.static_scale().unit;
    out_.zero[row] = next_.static_scale().zero;
  }

 private:
  void place(const std::uint8_t* bytes, const OutputTile& tile, std::uint8_t* plane) const {
    if (out_.layout.is_plain()) {
      std::copy_n(bytes, tile.cols, plane + tile.col);
    } else {
      for (Index n = 0; n < tile.cols; ++n) plane[out_.layout.position(tile.col + n)] = bytes[n];
    }
  }

  const Activation& next_;
  const EncodedRowsOut& out_;
  FirstBadRow& bad_;
};

/// Multiplies encoded rows, rows [first, first + rows.rows) of the product, and encodes under one quantizer for all.
template <class Rows>
void encode_product_static(const ProductPlan& plan, const Rows& rows, Index first, const OutputStage& stage,
                           const Activation& next, const EncodedRowsOut& out, FirstBadRow& bad) {
  const TileEncoder encoder(next, out, bad);
  run_product(plan, rows, [&](OutputTile tile) {
    tile.row += first;
    stage.apply(tile);
    encoder.encode(tile);
  });
  for_row_bands(plan.executor, rows.rows, out.layout.k, plan.executor.concurrency(),
                [&](Index, Index begin, Index end) {
                  for (Index row = begin; row < end; ++row) encoder.finish(first + row);
                });
}

/// The rows [begin, begin + count) of encoded rows.
[[nodiscard]] inline EncodedRows rows_from(const EncodedRows& x, Index begin, Index count) {
  EncodedRows part = x;
  part.rows = count;
  part.scale += begin * x.scale_groups;
  part.zero += begin * x.scale_groups;
  for (std::size_t p = 0; p < static_cast<std::size_t>(x.plane_count); ++p) {
    part.plane[p] += begin * x.row_stride;
    part.sum[p] += begin * x.layout.groups();
  }
  return part;
}

/// The same with parameters fitted to each row, a chunk of rows at a time.
template <class Rows>
void encode_product_dynamic(const ProductPlan& plan, const Rows& rows, Index first, const OutputStage& stage,
                            const Activation& next, const EncodedRowsOut& out, FirstBadRow& bad) {
  const Index cols = plan.w.rows();
  const Index chunk = std::min(rows.rows, plan.blocking.rows);
  const Workspace::Scope scope(plan.workspace);
  const MatrixView<float> floats(plan.workspace.take<float>(chunk * cols).data(), chunk, cols);
  const Index workers = plan.executor.concurrency();
  const Index scratch_bytes = out.layout.padded_k();
  const std::span<std::uint8_t> codes = plan.workspace.take<std::uint8_t>(workers * scratch_bytes);
  for (Index begin = 0; begin < rows.rows; begin += chunk) {
    const Index count = std::min(chunk, rows.rows - begin);
    run_product(plan, rows_from(rows, begin, count), [&](OutputTile tile) {
      const Index row_in_chunk = tile.row;
      tile.row += first + begin;
      stage.apply(tile);
      tile.row = row_in_chunk;
      store_tile(tile, floats);
    });
    for_row_bands(plan.executor, count, cols, workers, [&](Index worker, Index from, Index to) {
      for (Index r = from; r < to; ++r) {
        const Index row = first + begin + r;
        encode_row_into(next, floats.row(r), row, out, codes.data() + worker * scratch_bytes);
        if (!simd::is_finite(out.scale[out.scale_index(row, 0)])) bad.note(row);  // all are, or none
      }
    });
  }
}

/// `out = encode(epilogue(x * w^T + bias) + residual)` under `next`, ready to be the x of another product: the codes
/// that `encode(matmul(x, w, options), next, next_group)` gives. `next_group` is the group size of the weight that it
/// will meet (0: one group), which saves that product from summing again. Memory that `out` already has is used again;
/// allocates nothing once `out` and `workspace` are warm. Class: ordered.
///
/// Errors: as `matmul_into`; a row of the product that is not finite, named; `out` then holds nothing useful.
template <ProductInput X>
void matmul_encoded_into(const X& x, const PackedMatrix& w, EncodedMatrix& out, Workspace& workspace,
                         const MatmulOptions& options, const Activation& next, Index next_group = 0) {
  const Shape shape = activation_shape("matmul_encoded", x);
  require_product("matmul_encoded", shape, w, options);
  require_meeting<X>("matmul_encoded", w, options.activation);
  if (next.keeps_floats()) raise("matmul_encoded", "next keeps floats, expected a quantizer: what comes out is codes");
  if constexpr (std::is_same_v<X, EncodedMatrix>) {
    if (&x == &out) raise("matmul_encoded", "out is x itself, expected another matrix");
  }
  const KLayout layout = encoded_layout("matmul_encoded", next, w.rows(), next_group);
  out.reset(shape.rows, layout, next.plane_count(), next.plane_weights(), scale_groups_of(next, layout));
  const EncodedRowsOut target = out.rows_out();
  const ProductPlan plan = plan_product(w, options, workspace);
  const OutputStage stage{options.bias, options.epilogue, options.residual};
  FirstBadRow bad;
  for_product_rows(x, plan, options.activation, [&]<class Rows>(const Rows& rows, Index first) {
    const auto encode_product = next.is_dynamic() ? &encode_product_dynamic<Rows> : &encode_product_static<Rows>;
    encode_product(plan, rows, first, stage, next, target, bad);
  });
  bad.require_none();
}

/// The same as a new matrix `[tokens, out_features]` of codes.
template <ProductInput X>
[[nodiscard]] EncodedMatrix matmul_encoded(const X& x, const PackedMatrix& w, const MatmulOptions& options,
                                           const Activation& next, Index next_group = 0) {
  Workspace workspace;
  EncodedMatrix out;
  matmul_encoded_into(x, w, out, workspace, options, next, next_group);
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
