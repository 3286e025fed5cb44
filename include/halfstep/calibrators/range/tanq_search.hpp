#pragma once

/// \file
/// The parameters of a TanQ quantizer: how steep its tangent is, where its steps are widest, and the scale.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/percentile.hpp"
#include "halfstep/calibrators/range/quantile.hpp"
#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/tanq.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What is tried. All combinations are: centers the slowest, then alphas, then percentiles.
struct TanqGrid {
  std::vector<float> centers = {0.5f};  ///< each in [0, 1]; DopQ-ViT's intent, finer at 1, also has 0.2 and 0.3
  std::vector<float> alphas = {0.5f, 0.75f, 1.0f, 1.25f, 1.5f, 1.75f, 2.0f, 2.25f, 2.5f, 2.75f, 3.0f};
  std::vector<double> percentiles = {0.999, 0.9999, 0.99999, 1.0};  ///< whose values are the scales, each in [0.5, 1]
};

/// Options of `tanq_search`.
struct TanqSearchOptions {
  TanqGrid grid = {};
  Tiling tiling = per_tensor();
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< may cancel; the best of what was tried is returned
};

/// Refuses grids that leave the tangent's domain: alpha * max(center, 1 - center) < pi / 2.
inline void require_tanq_grid(std::string_view where, const TanqGrid& grid) {
  if (grid.centers.empty() || grid.alphas.empty() || grid.percentiles.empty()) {
    raise(where, "grid has ", grid.centers.size(), " centers, ", grid.alphas.size(), " alphas, ",
          grid.percentiles.size(), " percentiles, expected at least one of each");
  }
  for (const double p : grid.percentiles) require_percentile(where, p);
  for (const float center : grid.centers) {
    if (!(center >= 0 && center <= 1)) raise(where, "center is ", center, ", expected 0 to 1");
    for (const float alpha : grid.alphas) {
      if (alpha > 0 && alpha * std::max(center, 1 - center) < 1.570796f) continue;
      raise(where, "alpha is ", alpha, ", expected more than 0 and less than pi / 2 over ",
            std::max(center, 1 - center), " (center ", center, ")");
    }
  }
}

/// The quantizers of a grid, scales from the percentiles of `values`, whose tails are sorted. Also the candidates of an
/// `output_search` over probabilities times values. Errors: no values; a grid outside the tangent's domain. Class:
/// exact.
template <int Bits>
[[nodiscard]] std::vector<TanQ<Bits>> tanq_candidates(std::vector<float> values, const TanqGrid& grid = {}) {
  require_tanq_grid("tanq_candidates", grid);
  if (values.empty()) raise("tanq_candidates", "values is empty, expected at least one");
  sort_tails(values, *std::min_element(grid.percentiles.begin(), grid.percentiles.end()));
  std::vector<TanQ<Bits>> candidates;
  for (const float center : grid.centers) {
    for (const float alpha : grid.alphas) {
      for (const double p : grid.percentiles) {
        candidates.push_back({usable_scale(sorted_quantile(values, p)), alpha, center});
      }
    }
  }
  return candidates;
}

/// For each granule of `matrix` `[rows, cols]`, probabilities after a softmax, the TanQ quantizer of least mean squared
/// error, of equals the first.
///
/// Errors: no elements; one that is not finite; a grid outside the tangent's domain. Encodes each granule once per
/// candidate. Class: ordered, for any executor. Source: Yang et al., DopQ-ViT, 2024, section 3.1, whose constants are
/// not published; the grid is our own.
template <int Bits, Viewable M>
[[nodiscard]] SearchResult<TanQ<Bits>> tanq_search(const M& matrix, const TanqSearchOptions& options = {}) {
  require_tanq_grid("tanq_search", options.grid);
  GranuleValues values = values_of_granules("tanq_search", matrix, options.tiling, options.executor);
  std::vector<std::vector<TanQ<Bits>>> lists;
  for (const std::vector<float>& own : values) lists.push_back(tanq_candidates<Bits>(own, options.grid));
  return candidate_search(Candidates<TanQ<Bits>>(lists), ValueLoss<TanQ<Bits>>(std::move(values)),
                          SearchOptions{options.executor, options.progress});
}

}  // namespace halfstep::inline HALFSTEP_ABI
