#pragma once

/// \file
/// Products with the codes of 8-bit codebooks for any number of rows: the weight stays as packed codes, and each block
/// of 64 outputs is brought into kernel order just before it is multiplied, in memory that stays in cache.
///
/// The sums are those of `matmul` with `pack(w)`, bit for bit: what a block holds is what the whole packed weight would
/// hold there. Filling a block costs as much as a few rows of x (`table_matmul` is faster for one).

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/pack_vectors.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/residual_matrix.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/codebook.hpp"

#include <algorithm>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// `options` for the outputs [first, first + count) alone, on one thread.
[[nodiscard]] inline MatmulOptions options_for_columns(const MatmulOptions& options, Index first, Index count) {
  MatmulOptions part = options;
  part.executor = {};
  if (!options.bias.empty()) part.bias = {options.bias.data + first, count};
  if (options.residual.data != nullptr) part.residual = options.residual.col_range(first, count);
  return part;
}

/// `epilogue(x * w^T + bias) + residual` as a new matrix `[tokens, out_features]`, from one or two stages of codes; x
/// `[tokens, in_features]` of floats, or encoded. Column blocks are shared among threads, each with a block of its own.
/// Class: ordered, bit-equal to `matmul(x, pack(w), options)`.
///
/// Errors: shapes that do not fit; stages that no packed weight holds, see `StagePlan`.
template <int Dim, int Words, ProductInput X>
[[nodiscard]] MatrixF vector_matmul(const X& x, Int8StageSpan<Dim, Words> stages, const MatmulOptions& options = {}) {
  const StagePlan<Dim, Words> plan(stages);
  const Shape shape = activation_shape("vector_matmul", x);
  const Shape result{shape.rows, plan.rows()};
  require_product("vector_matmul", shape, "weight", {plan.rows(), plan.layout().k}, options);
  if constexpr (!std::is_same_v<X, EncodedMatrix>) {
    const Index group = plan.layout().groups() > 1 ? plan.layout().group : 0;
    return vector_matmul<Dim, Words>(encode(x, options.activation, group, options.executor), stages, options);
  } else {
    MatrixF out(result.rows, result.cols);
    constexpr Index block = PackedMatrix::block_rows;
    parallel_for(options.executor, (plan.rows() + block - 1) / block, 1, [&](Index begin, Index end) {
      PackedMatrix packed;
      Workspace workspace;
      for (Index b = begin; b < end; ++b) {
        const Index first = b * block, count = std::min(block, plan.rows() - first);
        plan.pack_rows(first, count, packed, {});
        const MatrixView<float> columns = mutable_view(out).col_range(first, count);
        matmul_into(x, packed, columns, workspace, options_for_columns(options, first, count));
      }
    });
    return out;
  }
}

/// The same for one stage.
template <int Dim, int Words, ProductInput X>
[[nodiscard]] MatrixF vector_matmul(const X& x, const VectorMatrix<Int8Codebook<Dim, Words>>& w,
                                    const MatmulOptions& options = {}) {
  return vector_matmul<Dim, Words>(x, Int8StageSpan<Dim, Words>(&w, 1), options);
}

/// The same for a residual matrix.
template <int Dim, int Words, ProductInput X>
[[nodiscard]] MatrixF vector_matmul(const X& x, const ResidualMatrix<Int8Codebook<Dim, Words>>& w,
                                    const MatmulOptions& options = {}) {
  return vector_matmul<Dim, Words>(x, Int8StageSpan<Dim, Words>(w.stages()), options);
}

}  // namespace halfstep::inline HALFSTEP_ABI
