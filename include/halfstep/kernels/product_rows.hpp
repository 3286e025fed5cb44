#pragma once

/// \file
/// The activation side of a product: rows encoded in the layout and order in which a packed weight reads them.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `body(worker, begin, end)` for bands of rows, at most `workers` of them at a time: each worker's scratch
/// memory is its own. Bands are worth a thread.
template <class Body>
void for_row_bands(ExecutorRef executor, Index rows, Index cols, Index workers, Body&& body) {
  const Index bands = std::min(workers, (rows + band_grain(cols) - 1) / band_grain(cols));
  parallel_for(executor, bands, 1, [&](Index first, Index last) {
    for (Index band = first; band < last; ++band) body(band, rows * band / bands, rows * (band + 1) / bands);
  });
}

/// Room for `rows` encoded rows in memory of `workspace`.
[[nodiscard]] inline EncodedRowsOut take_encoded_rows(Workspace& workspace, Index rows, const KLayout& layout,
                                                      int plane_count, const std::array<float, 2>& plane_weights,
                                                      Index scale_groups = 1) {
  EncodedRowsOut x;
  x.rows = rows;
  x.layout = layout;
  x.plane_count = plane_count;
  x.plane_weight = plane_weights;
  x.row_stride = EncodedRows::stride_for(layout);
  for (std::size_t p = 0; p < static_cast<std::size_t>(plane_count); ++p) {
    x.plane[p] = workspace.take<std::uint8_t>(rows * x.row_stride).data();
    x.sum[p] = workspace.take<std::int32_t>(rows * layout.groups()).data();
  }
  x.scale_groups = scale_groups;
  x.scale = workspace.take<float>(rows * scale_groups).data();
  x.zero = workspace.take<float>(rows * scale_groups).data();
  return x;
}

/// Encodes rows of floats for `w`, columns in the order in which it reads them, in memory of `workspace`.
template <class T>
[[nodiscard]] EncodedRows encode_rows_for(const MatrixView<const T>& x, const Activation& activation,
                                          const PackedMatrix& w, Workspace& workspace, ExecutorRef executor) {
  const EncodedRowsOut out = take_encoded_rows(workspace, x.rows, w.layout(), activation.plane_count(),
                                               activation.plane_weights(), scale_groups_of(activation, w.layout()));
  const Index workers = std::min<Index>(x.rows, executor.concurrency());
  const Index padded_k = w.layout().padded_k();
  const std::span<float> floats = workspace.take<float>(2 * workers * padded_k);
  const std::span<std::uint8_t> codes = workspace.take<std::uint8_t>(workers * padded_k);
  const bool in_order = w.input_order().empty();
  for_row_bands(executor, x.rows, x.cols, workers, [&](Index worker, Index begin, Index end) {
    float* const scratch = floats.data() + 2 * worker * padded_k;
    float* const reordered = scratch + padded_k;
    for (Index m = begin; m < end; ++m) {
      const float* row = read_row(x, m, scratch);
      for (Index k = 0; k < x.cols && !in_order; ++k) reordered[k] = row[w.channel(k)];
      encode_row_into(activation, in_order ? row : reordered, m, out, codes.data() + worker * padded_k);
    }
  });
  return out;
}

/// Sums the planes of row m over the groups of the layout.
inline void sum_planes(const EncodedRowsOut& x, Index m) {
  const KLayout& layout = x.layout;
  for (std::size_t p = 0; p < static_cast<std::size_t>(x.plane_count); ++p) {
    const std::uint8_t* const plane = x.plane[p] + m * x.row_stride;
    for (Index g = 0; g < layout.groups(); ++g) {
      x.sum[p][m * layout.groups() + g] = sum_bytes(plane + layout.padded_begin(g), layout.length(g));
    }
  }
}

/// Rows that were encoded without knowing the weight, as `w` reads them: as they are where layout and order agree; with
/// new sums where groups differ but every element stands at the same byte; else with their bytes moved. Memory comes
/// from `workspace`. Class: exact. Errors: rows with a scale for each group that would have to be regrouped.
[[nodiscard]] inline EncodedRows fit_rows_to(const EncodedRows& x, const PackedMatrix& w, Workspace& workspace,
                                             ExecutorRef executor) {
  const KLayout& layout = w.layout();
  const bool in_order = w.input_order().empty();
  if (in_order && x.layout == layout) return x;
  if (x.scale_groups != 1) {
    raise("matmul", "x has a scale for each ", x.layout.group, " values of a row, packed weight has groups of ",
          layout.group, in_order ? "" : " in another order", ": encode x with the group of the weight");
  }
  EncodedRowsOut out = take_encoded_rows(workspace, x.rows, layout, x.plane_count, x.plane_weight);
  const bool stays = in_order && x.layout.is_plain() && layout.is_plain();
  for_row_bands(executor, x.rows, layout.k, executor.concurrency(), [&](Index, Index begin, Index end) {
    for (Index m = begin; m < end; ++m) {
      out.scale[m] = x.scale[m];
      out.zero[m] = x.zero[m];
      for (std::size_t p = 0; p < static_cast<std::size_t>(x.plane_count); ++p) {
        const std::uint8_t* const from = x.plane[p] + m * x.row_stride;
        std::uint8_t* const to = out.plane[p] + m * out.row_stride;
        if (stays) {
          std::copy_n(from, out.row_stride, to);
          continue;
        }
        for (Index k = 0; k < layout.k; ++k) to[layout.position(k)] = from[x.layout.position(w.channel(k))];
        zero_padding(layout, out.row_stride, to);
      }
      sum_planes(out, m);
    }
  });
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
