#pragma once

/// \file
/// The percentile of least error: RepQ-ViT's calibration, also that of I&S-ViT and DopQ-ViT.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/percentile.hpp"
#include "halfstep/calibrators/range/range_choice.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/tiling.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `percentile_mse`.
struct PercentileMseOptions {
  std::vector<double> percentiles = {0.999, 0.9999, 0.99999};  ///< candidates, each in [0.5, 1]
  Tiling tiling = per_tensor();
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// For each granule of `matrix` `[rows, cols]`, the range `Q(1 - p) .. Q(p)` whose quantizer has the least mean squared
/// error over the granule, p from a list; of equals the first. `rule` makes a quantizer of a range; what is published
/// is the unclipped one, `percentile_mse<Uniform<4>>(w, {.tiling = per_row()}, repq_fit<4>)`.
///
/// Errors: no elements; one that is not finite; an empty list. Sorts the tails of a copy of each granule and encodes
/// it once per candidate. Class: ordered, for any executor.
/// Source: Li et al., RepQ-ViT, ICCV 2023, section 4.1, and its published quantizer.
template <ScalarQuantizer Q, Viewable M, FitRule<Q> Rule = LibraryFit<Q>>
[[nodiscard]] std::vector<RangeChoice<Q>> percentile_mse(const M& matrix, const PercentileMseOptions& options = {},
                                                         const Rule& rule = {}) {
  if (options.percentiles.empty()) raise("percentile_mse", "percentiles is empty, expected at least one");
  for (const double p : options.percentiles) require_percentile("percentile_mse", p);
  const double innermost = *std::min_element(options.percentiles.begin(), options.percentiles.end());
  const auto source = view(matrix);
  std::vector<RangeChoice<Q>> choices(static_cast<std::size_t>(granule_count(options.tiling, shape_of(source))));
  const auto choose = [&](Index granule, std::span<const float> values) {
    std::vector<float> sorted(values.begin(), values.end());
    sort_tails(sorted, innermost);
    const float mean = mean_abs(values);
    BestRange<Q> search;
    for (const double p : options.percentiles) {
      const Range range = sorted_percentile_range(sorted, p, mean);
      const Q q = rule(range);
      search.offer(q, range, squared_error(q, values, options.executor) / static_cast<double>(values.size()));
    }
    choices[static_cast<std::size_t>(granule)] = search.best();
  };
  for_each_granule("percentile_mse", source, options.tiling, options.executor, choose);
  return choices;
}

}  // namespace halfstep::inline HALFSTEP_ABI
