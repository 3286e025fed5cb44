#pragma once

/// \file
/// The product of split activations: integers through the packed kernels, a few columns of floats beside them.
///
///     out(t, n) = (integer product + bias(n)) + sum_o x(t, o) * w(n, o)       o: the outlier columns, ascending
///
/// One rounding for each product and each addition, in this order.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/split_matrix.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// What a product of split activations does beside multiplying.
struct SplitMatmulOptions {
  /// The weight before it was quantized, `[out_features, in_features]`, of which only outlier columns are read (the
  /// paper, which keeps it in 16 bits). Empty: those columns are decoded from the codes (the published library).
  MatrixView<const float> float_weight = {};
  VectorView bias = {};       ///< `[out_features]`, or empty
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// Input channel `column` of a packed weight as floats, `out[0 .. w.rows())`. Class: exact.
inline void decode_packed_column(const PackedMatrix& w, Index column, float* out) {
  Index k = column;
  if (!w.input_order().empty()) {
    const auto& order = w.input_order();
    k = std::find(order.begin(), order.end(), static_cast<std::int32_t>(column)) - order.begin();
  }
  const Index group = k / w.layout().group;
  for (Index n = 0; n < w.rows(); ++n) {
    double sum = -static_cast<double>(w.zero(group)[n]);
    for (int p = 0; p < w.plane_count(); ++p) {
      sum += static_cast<double>(w.plane_weight(p)) * static_cast<double>(w.plane_value(p, n, k));
    }
    out[n] = static_cast<float>(static_cast<double>(w.scale(group)[n]) * sum);
  }
}

/// `out = x_o * w_o^T`, the product of the outlier columns alone: `weights` holds a row of `out.cols` floats for each.
inline void multiply_outliers(const MatrixF& floats, std::span<const float> weights, MatrixView<float> out,
                              ExecutorRef executor) {
  const Index grain = band_grain(out.cols * (floats.cols() + 1));
  parallel_for(executor, out.rows, grain, [&](Index first, Index last) {
    for (Index t = first; t < last; ++t) {
      float* const row = out.row(t);
      std::fill_n(row, out.cols, 0.0f);
      for (Index o = 0; o < floats.cols(); ++o) {
        const float* const w = weights.data() + o * out.cols;
        const simd::FloatBatch x(floats(t, o));
        for_each_part(out.cols, [&](Index n, Index part) {
          store_part(row + n, load_part(row + n, part) + simd::pinned(x * load_part(w + n, part)), part);
        });
      }
    }
  });
}

/// `out` `[tokens, out_features]`, rows contiguous, from split activations and a packed weight. A row of x that was not
/// finite gives a row of NaN. Allocates nothing once `workspace` is warm. Class: ordered.
///
/// Errors: shapes that do not fit, named with what was expected.
inline void split_matmul_into(const SplitMatrix& x, const PackedMatrix& w, MatrixView<float> out, Workspace& workspace,
                              const SplitMatmulOptions& options = {}) {
  const bool has_floats = options.float_weight.data != nullptr;
  if (has_floats && shape_of(options.float_weight) != w.shape()) {
    raise("split_matmul", "float_weight has shape ", shape_of(options.float_weight), ", expected ", w.shape());
  }
  MatmulOptions product;
  product.bias = options.bias;
  product.executor = options.executor;
  require_product("split_matmul", x.integers().shape(), w, product);
  require_meeting<EncodedMatrix>("split_matmul", w, product.activation);
  require_readable("split_matmul", "out", out);
  if (shape_of(out) != Shape{x.rows(), w.rows()}) {
    raise("split_matmul", "out has shape ", shape_of(out), ", expected ", Shape{x.rows(), w.rows()});
  }
  if (!out.rows_are_contiguous()) {
    raise("split_matmul", "the rows of out must be contiguous, their column stride is ", out.col_stride);
  }
  if (!x.columns().empty()) {
    const Workspace::Scope scope(workspace);
    const auto count = static_cast<Index>(x.columns().size());
    const std::span<float> weights = workspace.take<float>(count * w.rows());
    for (Index o = 0; o < count; ++o) {
      const Index column = x.columns()[static_cast<std::size_t>(o)];
      float* const row = weights.data() + o * w.rows();
      for (Index n = 0; n < w.rows() && has_floats; ++n) row[n] = options.float_weight(n, column);
      if (!has_floats) decode_packed_column(w, column, row);
    }
    multiply_outliers(x.floats(), weights, out, options.executor);
    product.residual = out;
  }
  matmul_into(x.integers(), w, out, workspace, product);
}

/// The same as a new matrix `[tokens, out_features]`.
[[nodiscard]] inline MatrixF split_matmul(const SplitMatrix& x, const PackedMatrix& w,
                                          const SplitMatmulOptions& options = {}) {
  Workspace workspace;
  MatrixF out(x.rows(), w.rows());
  split_matmul_into(x, w, mutable_view(out), workspace, options);
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
