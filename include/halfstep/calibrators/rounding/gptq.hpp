#pragma once

/// \file
/// GPTQ: rounding a weight column by column, each column answering the errors of those before it.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/rounding/gptq_call.hpp"
#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/rounding/gptq_solver.hpp"
#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/calibrators/rounding/row_grid.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale_storage.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// The options as quantizer Q takes them: a block format brings its group and its storage.
template <ScalarQuantizer Q>
[[nodiscard]] GptqOptions gptq_options_for(std::string_view where, GptqOptions options) {
  if constexpr (BlockFormat<Q>) {
    if (options.scope == GridScope::tensor) raise(where, "scope is a tensor, expected a row for a block format");
    if (options.group_size != 0 && options.group_size != Q::block_size) {
      raise(where, "group_size is ", options.group_size, ", expected ", Q::block_size, ", the format's block");
    }
    options.group_size = Q::block_size;
    options.scale_storage = Q::scale_storage;
  } else if (options.scale_storage == ScaleStorage::e4m3) {
    raise(where, "scale_storage is e4m3, which reaches from 2^-6 to 448 only: expected a quantizer with a tensor ",
          "scale, such as NVFP4");
  }
  return options;
}

/// `gptq` with the grids that `rule` makes of ranges: a published rule, such as `gptq_fit<4>`.
template <ScalarQuantizer Q, Viewable M, FitRule<Q> Rule>
[[nodiscard]] GptqResult<Q> gptq(const M& weight, const HessianAccumulator& hessian, const GptqOptions& given,
                                 const Rule& rule) {
  constexpr std::string_view where = "gptq";
  simd::require_cpu();
  const auto source = view(weight);
  require_readable(where, "weight", source);
  const GptqOptions options = gptq_options_for<Q>(where, given);
  require_gptq_options(where, options, source.cols, hessian.channels());
  require_finite(where, "weight", source, options.executor);
  GptqSolver solver(hessian, options);
  const auto read = [&](Index row, float* scratch) { return read_row(source, row, scratch); };
  const GranuleFit<Q> fit{rule, options.range, options.scale_storage};
  return GptqCall<Q>(shape_of(source), read, solver, options, fit).run();
}

/// Rounds `weight` `[rows, columns]` to the codes of quantizers Q, one per row, group of columns or tensor, such that
/// the layer's output changes least on the inputs that `hessian` has seen: rows are independent, and in each the
/// columns are rounded in order, the error of one being made good by those after it (error_feedback.hpp).
///
///     HessianAccumulator h(w.cols());
///     for (const auto& batch : batches) h.add(batch);
///     auto [q, report] = gptq<Uniform<3>>(w, h, {.group_size = 128, .act_order = true});
///
/// Always returns valid codes. Channels that were never active count as weight 0. Where the Hessian has no positive
/// definite form (damping.hpp), above all where no data was seen, weights are rounded to nearest; the report says so. A
/// power of two in the unit of the inputs changes no code.
///
/// Errors: a weight that is not finite, named by row and column; another number of columns than the Hessian has
/// channels; options out of range. 2/3 K^3 operations for K columns, half of them for the rank that is reported, and
/// K^2 for each row; the memory of 1.5 K^2 floats beside the Hessian's K^2, and of 200 rows for each thread. Class:
/// bounded, bit-equal for any executor: a row's codes depend on that row and on the Hessian alone. Source: Frantar et
/// al., GPTQ, ICLR 2023, and its published program; its options there are `group_fit` during (static groups: before),
/// `damping.dead_diagonal` one, and the rules `gptq_fit` and `gptq_symmetric_fit`.
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] GptqResult<Q> gptq(const M& weight, const HessianAccumulator& hessian, const GptqOptions& options = {}) {
  if constexpr (HasTensorScale<Q>) {
    const auto source = view(weight);
    require_readable("gptq", "weight", source);
    require_finite("gptq", "weight", source, options.executor);
    const TilingGrid grid(per_tensor(), shape_of(source));
    const auto ranges = granule_ranges("gptq", source, grid, options.executor, RangeParts::ends);
    const float tensor_scale = Q::tensor_scale_of(ranges.empty() ? Range{} : ranges[0]);
    const auto rule = [=](const Range& range) { return Q::fit_block(range, tensor_scale); };
    return gptq<Q>(weight, hessian, options, rule);
  } else {
    return gptq<Q>(weight, hessian, options, LibraryFit<Q>{options.symmetry});
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
