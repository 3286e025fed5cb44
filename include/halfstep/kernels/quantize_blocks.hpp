#pragma once

/// \file
/// From floats to block formats: `quantize_blocks`.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/block_format.hpp"

#include <algorithm>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How many levels of scales a format with a tensor scale uses.
enum class ScaleLevels {
  two,  ///< a scale for each block, and one for the tensor
  one,  ///< a scale for each block; that of the tensor is 1
};

/// How `quantize_blocks` chooses parameters.
struct BlockOptions {
  ScaleLevels levels = ScaleLevels::two;  ///< for formats that have a tensor scale
  ExecutorRef executor = {};              ///< results do not depend on it
};

/// The blocks' parameters for these ranges, one per block.
template <BlockFormat F>
[[nodiscard]] std::vector<F> fit_blocks(const std::vector<Range>& ranges, ScaleLevels levels) {
  std::vector<F> blocks;
  blocks.reserve(ranges.size());
  if constexpr (HasTensorScale<F>) {
    Range all;
    for (const Range& range : ranges) all = {std::min(all.min, range.min), std::max(all.max, range.max), 0.0f};
    const float tensor_scale = levels == ScaleLevels::two ? F::tensor_scale_of(all) : 1.0f;
    for (const Range& range : ranges) blocks.push_back(F::fit_block(range, tensor_scale));
  } else {
    for (const Range& range : ranges) blocks.push_back(F::fit(range));
  }
  return blocks;
}

/// `matrix` `[rows, cols]` in the block format `F`: `F::block_size` consecutive elements of a row share a scale that is
/// stored as `F::scale_storage`; the last block of a row may be shorter. `pack` and `matmul` take it as they take any
/// other weight.
///
///     auto q = quantize_blocks<MXFP4>(w);   // 4.25 bits per weight
///
/// Errors: an element that is not finite, named by row and column. Reads the matrix twice. Class: exact, for any
/// executor.
template <BlockFormat F, Viewable M>
[[nodiscard]] QuantizedMatrix<F> quantize_blocks(const M& matrix, const BlockOptions& options = {}) {
  const auto source = view(matrix);
  require_readable("quantize_blocks", "matrix", source);
  const QuantizeOptions quantize_options{
      .tiling = per_group(F::block_size), .scale_storage = F::scale_storage, .executor = options.executor};
  const TilingGrid grid(quantize_options.tiling, shape_of(source));
  const std::vector<Range> ranges = granule_ranges("quantize_blocks", source, grid, options.executor, RangeParts::ends);
  return quantize_with<F>(source, fit_blocks<F>(ranges, options.levels), quantize_options);
}

}  // namespace halfstep::inline HALFSTEP_ABI
