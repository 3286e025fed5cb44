#pragma once

/// \file
/// Activations into codes, scales and zeros in memory that is there already: the dynamic quantizer of a layer's input,
/// for inputs that several products share.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/product_rows.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// `out = encode(matrix, activation, group)`: codes of x `[tokens, channels]` with scale and zero of each row (or of
/// each block of it), ready to be the x of any number of products. With `Activation()` every row is fitted to its own
/// range:
///
///     encode_into(x, {}, codes, workspace);                     // once
///     matmul_into(codes, wq, q, workspace), matmul_into(codes, wk, k, workspace), ...
///
/// Reads x twice where parameters are fitted to rows, the second time from L1; else once. Allocates nothing once `out`
/// and `workspace` are warm. A row that holds NaN or infinity gets the scale NaN. Class: exact, for any executor.
///
/// Errors: an activation that keeps floats; groups that do not divide the blocks of a block format.
template <Viewable M>
void encode_into(const M& matrix, const Activation& activation, EncodedMatrix& out, Workspace& workspace,
                 Index group = 0, ExecutorRef executor = {}) {
  simd::require_cpu();
  const auto source = view(matrix);
  require_readable("encode_into", "matrix", source);
  if (activation.keeps_floats()) raise("encode_into", "activation keeps floats, expected a quantizer");
  const KLayout layout = encoded_layout("encode_into", activation, source.cols, group);
  out.reset(source.rows, layout, activation.plane_count(), activation.plane_weights(),
            scale_groups_of(activation, layout));
  const EncodedRowsOut rows = out.rows_out();
  const Workspace::Scope scope(workspace);
  const Index workers = std::max<Index>(1, std::min<Index>(source.rows, executor.concurrency()));
  const Index padded_k = layout.padded_k();
  const std::span<float> floats = workspace.take<float>(workers * source.cols);
  const std::span<std::uint8_t> codes = workspace.take<std::uint8_t>(workers * padded_k);
  for_row_bands(executor, source.rows, source.cols, workers, [&](Index worker, Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const float* const row = read_row(source, r, floats.data() + worker * source.cols);
      encode_row_into(activation, row, r, rows, codes.data() + worker * padded_k);
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
