#pragma once

/// \file
/// Codes that an integer operator has made, as the x of a product: probabilities of Shiftmax or log-int-softmax,
/// outputs of an integer LayerNorm.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/product_rows.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Codes `[tokens, channels]` of a static `activation`, one to a byte in contiguous rows, as rows of a product: what
/// `encode` gives for values that have these codes. `group` is the group size of the weight (0: one group).
///
///     shiftmax(scores, scale, p);                                                       // steps of 2^-7
///     auto y = matmul(encode_codes(p, Uniform<8>{0x1p-7f, 0}), values);
///
/// Class: exact, for any executor. Errors: an activation that is fitted to rows or keeps floats; a code that it does
/// not have, named by row and column.
[[nodiscard]] inline EncodedMatrix encode_codes(MatrixView<const std::uint8_t> codes, const Activation& activation,
                                                Index group = 0, ExecutorRef executor = {}) {
  constexpr const char* where = "encode_codes";
  require_readable(where, "codes", codes);
  if (!codes.rows_are_contiguous()) {
    raise(where, "rows of codes must be contiguous, their column stride is ", codes.col_stride);
  }
  if (activation.is_dynamic() || activation.keeps_floats()) {
    raise(where, "activation is no static one, expected a quantizer: codes have no meaning without its parameters");
  }
  const KLayout layout(codes.cols, group);
  EncodedMatrix encoded;
  encoded.reset(codes.rows, layout, activation.plane_count(), activation.plane_weights());
  const EncodedRowsOut out = encoded.rows_out();
  const int levels = 1 << activation.bits();
  parallel_for(executor, codes.rows, band_grain(codes.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      const std::uint8_t* const row = codes.row(r);
      const auto* const bad = std::find_if(row, row + codes.cols, [&](std::uint8_t code) { return code >= levels; });
      if (bad != row + codes.cols) {
        raise(where, "codes at row ", r, ", column ", static_cast<Index>(bad - row), " is ", int{*bad},
              ", activation has codes 0 to ", levels - 1);
      }
      for (int p = 0; p < out.plane_count; ++p) {
        std::uint8_t* const plane = out.plane[static_cast<std::size_t>(p)] + r * out.row_stride;
        for (Index g = 0; g < layout.groups(); ++g) {
          activation.plane_map(p).apply(row + layout.begin(g), layout.length(g), plane + layout.padded_begin(g));
        }
        zero_padding(layout, out.row_stride, plane);
      }
      sum_planes(out, r);
      out.scale[r] = activation.static_scale().unit;
      out.zero[r] = activation.static_scale().zero;
    }
  });
  return encoded;
}

}  // namespace halfstep::inline HALFSTEP_ABI
