#pragma once

/// \file
/// What a product does beside multiplying, and which products are refused.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/blocking.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/tile_kernel.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// `y = epilogue(x * w^T + bias) + residual`, and how. Not a template: any scalar quantizer converts to `Activation`.
struct MatmulOptions {
  Activation activation = {};              ///< how float activations are encoded; 8 bits fitted to each row by default
  VectorView bias = {};                    ///< `[out_features]`, or empty
  Epilogue epilogue = {};                  ///< applied after the bias
  MatrixView<const float> residual = {};   ///< `[tokens, out_features]`, added last; may be the output itself
  ExecutorRef executor = {};               ///< results do not depend on it
  Blocking blocking = default_blocking();  ///< nor on this
  const TileKernel* tile = nullptr;        ///< nor on this; null: the best that this translation unit was compiled for
};

/// Refuses a blocking that a product cannot use.
inline void require_blocking(std::string_view where, const Blocking& blocking) {
  const bool is_valid = blocking.rows >= 1 && blocking.panel_k >= KLayout::k_step && blocking.panel_k <= 65536 &&
                        blocking.panel_k % KLayout::k_step == 0;
  if (is_valid) return;
  raise(where, "blocking has rows ", blocking.rows, " and panel_k ", blocking.panel_k,
        ", expected at least 1 row and a panel_k of 16 to 65536 that is a multiple of 16");
}

/// Refuses activations of shape `x` and a bias that do not fit a weight of shape `w`, which messages call `weight`.
inline void require_operands(std::string_view where, Shape x, std::string_view weight, Shape w, VectorView bias) {
  if (x.cols != w.cols) {
    raise(where, "x has ", x.cols, " columns, ", weight, " expects ", w.cols, " (its in_features)");
  }
  if (!bias.empty() && bias.size != w.rows) {
    raise(where, "bias has ", bias.size, " elements, ", weight, " has ", w.rows, " rows (its out_features)");
  }
}

/// Refuses a product of these operands, or with these options, whose shapes do not fit.
inline void require_product(std::string_view where, Shape x, std::string_view weight, Shape w,
                            const MatmulOptions& options) {
  require_operands(where, x, weight, w, options.bias);
  const Shape out{x.rows, w.rows};
  if (options.residual.data != nullptr && shape_of(options.residual) != out) {
    raise(where, "residual has shape ", shape_of(options.residual), ", expected ", out);
  }
  require_blocking(where, options.blocking);
}

/// The same for a packed weight.
inline void require_product(std::string_view where, Shape x, const PackedMatrix& w, const MatmulOptions& options) {
  require_product(where, x, "packed weight", w.shape(), options);
}

}  // namespace halfstep::inline HALFSTEP_ABI
