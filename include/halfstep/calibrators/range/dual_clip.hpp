#pragma once

/// \file
/// RepQuant's dual clipping: the upper and the lower end of each channel shrunk by factors of their own.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `dual_clip`.
struct DualClipOptions {
  /// What an end may be multiplied with, each in (0, 1].
  std::vector<float> factors = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f, 0.7f, 0.65f, 0.6f, 0.55f, 0.5f, 0.45f, 0.4f};
  Tiling tiling = per_column();
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// What `dual_clip` settles on for one granule.
template <ScalarQuantizer Q>
struct DualClipChoice {
  Q quantizer;      ///< fitted to `range`
  Range range;      ///< the clipped one
  float upper = 1;  ///< factor of the largest value
  float lower = 1;  ///< factor of the least value
  double mse = 0;   ///< mean squared error over the values of the granule
  friend bool operator==(const DualClipChoice&, const DualClipChoice&) = default;
};

/// The best of all pairs of factors for one granule; the first of equals, the upper factor being the slow index.
template <ScalarQuantizer Q, FitRule<Q> Rule>
[[nodiscard]] DualClipChoice<Q> dual_clip_values(std::span<const float> values, const DualClipOptions& options,
                                                 const Rule& rule) {
  RangeStatistic seen;
  seen.add(values.data(), static_cast<Index>(values.size()));
  const Range whole = seen.range();
  const float high = whole.max > 0 ? whole.max : 0.0f, low = whole.min < 0 ? whole.min : 0.0f;
  DualClipChoice<Q> best;
  bool is_first = true;
  for (const float upper : options.factors) {
    for (const float lower : options.factors) {
      const Range range{low * lower, high * upper, whole.mean_abs};
      const Q q = rule(range);
      const double mse = squared_error(q, values, options.executor) / static_cast<double>(values.size());
      if (is_first || mse < best.mse) best = {q, range, upper, lower, mse};
      is_first = false;
      if (low == 0) break;  // its factor changes nothing
    }
    if (high == 0) break;
  }
  return best;
}

/// For each granule of `matrix` `[tokens, channels]`, by default each channel, the range
/// `[lower * min(least, 0), upper * max(largest, 0)]` of least mean squared error, both factors from a list. Outliers
/// of a channel, on either side, cost the other channels and the other side nothing.
///
/// Errors: no elements; one that is not finite; an empty list of factors, or one outside (0, 1]. Encodes each granule
/// factors^2 times. Class: ordered, for any executor.
/// Source: Li et al., "RepQuant", 2024, per-channel dual clipping of LayerNorm's outputs. The paper learns the factors,
/// and no program was published: the grid is the library's own. Quantizers of channels become one of the tensor by
/// reparameterization.
template <ScalarQuantizer Q, Viewable M, FitRule<Q> Rule = LibraryFit<Q>>
[[nodiscard]] std::vector<DualClipChoice<Q>> dual_clip(const M& matrix, const DualClipOptions& options = {},
                                                       const Rule& rule = {}) {
  if (options.factors.empty()) raise("dual_clip", "factors is empty, expected at least one");
  for (const float factor : options.factors) {
    if (!(factor > 0 && factor <= 1)) raise("dual_clip", "a factor is ", factor, ", expected more than 0, at most 1");
  }
  const auto source = view(matrix);
  std::vector<DualClipChoice<Q>> choices(static_cast<std::size_t>(granule_count(options.tiling, shape_of(source))));
  for_each_granule("dual_clip", source, options.tiling, options.executor,
                   [&](Index granule, std::span<const float> values) {
                     choices[static_cast<std::size_t>(granule)] = dual_clip_values<Q>(values, options, rule);
                   });
  return choices;
}

}  // namespace halfstep::inline HALFSTEP_ABI
