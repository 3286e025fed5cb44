#pragma once

/// \file
/// The product of 8-bit integers as 32-bit integers: what integer-only models compute between requantizations.
///
///     out[m, n] = sum_k x[m, k] * w[n, k]
///
/// Tile kernels take unsigned rows, so x goes in with 128 added, and 128 times the sum of a row of w is taken off.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/block_product.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/product.hpp"
#include "halfstep/kernels/tile_kernel.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// The longest K of a product of 8-bit integers whose sums stay in int32, whatever they hold.
inline constexpr Index longest_integer_sum = 65536;

/// Brings integers `[out_features, in_features]`, strided either way, into kernel order: scales 1, no zeros. Memory
/// that `packed` already has is used again. Class: exact.
inline void pack_integers_into(MatrixView<const std::int8_t> w, PackedMatrix& packed) {
  require_readable("pack_integers", "w", w);
  const KLayout layout(w.cols, 0);
  packed.reset(w.rows, layout, WeightStorage::bytes, 1);
  PackedMatrixWriter writer(packed);
  const Index stride = scratch_row_stride(layout.padded_k());
  AlignedBuffer<std::uint8_t> rows = AlignedBuffer<std::uint8_t>::zeros(lane_tile_rows * stride);
  for (Index t = 0; t * lane_tile_rows < w.rows; ++t) {
    for (Index i = 0; i < lane_tile_rows; ++i) {
      const Index n = t * lane_tile_rows + i;
      std::uint8_t* const row = rows.data() + i * stride;
      std::int32_t sum = 0;
      for (Index k = 0; k < w.cols; ++k) {
        const std::int8_t value = n < w.rows ? w(n, k) : std::int8_t{0};
        row[k] = static_cast<std::uint8_t>(value);
        sum += value;
      }
      writer.set_sum(0, 0, n, sum);
      writer.set_scale(0, n, n < w.rows ? 1.0f : 0.0f);
      writer.set_zero(0, n, 0.0f);
    }
    rows_to_byte_lines(rows.data(), stride, layout.padded_k(), writer.lines(0, t, 0), writer.line_stride(t));
  }
  writer.finish();
}
[[nodiscard]] inline PackedMatrix pack_integers(MatrixView<const std::int8_t> w) {
  PackedMatrix packed;
  pack_integers_into(w, packed);
  return packed;
}

/// Rows of integers as kernels read them, in memory of `workspace`.
[[nodiscard]] inline EncodedRows offset_rows(MatrixView<const std::int8_t> x, Workspace& workspace) {
  const EncodedRowsOut out = take_encoded_rows(workspace, x.rows, KLayout(x.cols, 0), 1, {1, 1});
  for (Index r = 0; r < x.rows; ++r) {
    const std::int8_t* const from = x.row(r);
    std::uint8_t* const to = out.plane[0] + r * out.row_stride;
    for (Index c = 0; c < x.cols; ++c) to[c] = static_cast<std::uint8_t>(from[c] + 128);
    zero_padding(out.layout, out.row_stride, to);
    out.sum[0][r] = 0;
    out.scale[r] = 1;
    out.zero[r] = 128;
  }
  return out;
}

/// Refuses operands that do not fit.
inline void require_integer_product(MatrixView<const std::int8_t> x, const PackedMatrix& w,
                                    MatrixView<std::int32_t> out) {
  constexpr const char* where = "integer_matmul";
  require_readable(where, "x", x);
  require_readable(where, "out", out);
  require_operands(where, shape_of(x), "packed weight", w.shape(), {});
  if (shape_of(out) != Shape{x.rows, w.rows()}) {
    raise(where, "out has shape ", shape_of(out), ", expected ", Shape{x.rows, w.rows()});
  }
  if (!x.rows_are_contiguous() || !out.rows_are_contiguous()) {
    raise(where, "the rows of x and out must be contiguous, column strides are ", x.col_stride, " and ",
          out.col_stride);
  }
  if (w.plane_count() != 1 || w.storage() != WeightStorage::bytes || w.layout().groups() != 1 || w.has_zeros() ||
      !w.input_order().empty()) {
    raise(where, "packed weight does not hold plain 8-bit integers, expected one of pack_integers");
  }
  if (x.cols > longest_integer_sum) raise(where, "x has ", x.cols, " columns, expected at most ", longest_integer_sum);
}

/// `out = x * w^T` of integers: x `[tokens, in_features]`, w of `pack_integers`, out `[tokens, out_features]`, rows of
/// both contiguous. Allocates nothing once `workspace` is warm. Class: exact, for any executor.
///
/// Errors: shapes that do not fit; a weight that is no matrix of integers; more than 2^16 columns.
inline void integer_matmul_into(MatrixView<const std::int8_t> x, const PackedMatrix& w, MatrixView<std::int32_t> out,
                                Workspace& workspace, ExecutorRef executor = {}) {
  simd::require_cpu();
  require_integer_product(x, w, out);
  if (x.rows == 0 || w.rows() == 0) return;
  const Workspace::Scope scope(workspace);
  const ProductPlan plan = plan_product(w, {.executor = executor}, workspace);
  const TileKernel& tile = tile_for(plan.tile, x.rows, w.largest_value());
  const PreparedRows rows = prepare_rows(plan, tile, offset_rows(x, workspace));
  const BlockPlan blocks{tile, rows, w, plan.blocking.panel_k, true, true};
  const ProductItems items(plan, x.rows);
  const std::span<BlockScratch> scratch = workspace.take<BlockScratch>(items.workers);
  for (BlockScratch& one : scratch) one = BlockScratch::take(workspace, blocks, items.chunk_rows);
  items.for_each(plan, [&](Index worker, const ProductItem& item) {
    const BlockProduct product(blocks, scratch[static_cast<std::size_t>(worker)]);
    product.run_integers(item.block, item.row, item.rows, [&](Index row, Index count, const std::int32_t* sums) {
      const std::int32_t* const row_sums = w.sum(0, 0) + item.col;
      for (Index i = 0; i < count; ++i, sums += PackedMatrix::block_rows) {
        std::int32_t* const to = out.row(row + i) + item.col;
        // d - 128 B wraps where the sum with the offset would; the difference itself fits.
        for (Index n = 0; n < item.cols; ++n) {
          to[n] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[n]) -
                                            128u * static_cast<std::uint32_t>(row_sums[n]));
        }
      }
    });
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
