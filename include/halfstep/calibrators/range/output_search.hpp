#pragma once

/// \file
/// The candidate that disturbs the output of a product least.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `output_search`.
struct OutputSearchOptions {
  Operand operand = Operand::lhs;               ///< the one that the candidates are for
  ProductTiling tiling = {};                    ///< which of its rows share a quantizer
  OutputMetric metric = OutputMetric::squared;  ///< hessian: products bring gradients
  ExecutorRef executor = {};                    ///< results do not depend on it
  ProgressCallback progress = {};               ///< may cancel; the best of what was tried is returned
};

/// For each granule of one operand of `products`, the candidate whose codes change the outputs least; of equals the
/// first. The other operand is multiplied as `other` (`fake_quantize_operand`), or in float where that is empty.
/// Candidates may be of any quantizer and come from anywhere (candidate_ranges.hpp, tanq_search.hpp, ...).
///
///     const std::vector<ObservedProduct> layer = {{.lhs = view(x), .rhs = view(w)}};
///     const auto best = output_search(layer, Candidates(shrunk_candidates<Uniform<4>>(range_of_x)));
///
/// Errors and class: see `OutputLoss`, `candidate_search`. Costs one product per candidate.
template <ScalarQuantizer Q>
[[nodiscard]] SearchResult<Q> output_search(std::span<const ObservedProduct> products, const Candidates<Q>& candidates,
                                            const OutputSearchOptions& options = {},
                                            const std::vector<MatrixF>& other = {}) {
  const OutputLoss<Q> loss(products, other, {options.operand, options.tiling, options.metric, options.executor});
  return candidate_search(candidates, loss, SearchOptions{options.executor, options.progress});
}

}  // namespace halfstep::inline HALFSTEP_ABI
