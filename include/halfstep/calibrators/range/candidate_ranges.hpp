#pragma once

/// \file
/// Lists of quantizers to choose from: of shrunk ranges, of scaled steps.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Quantizers of `range` with both ends times `1 - i / steps`, i < steps. The first is min-max, so no search over them
/// ends worse. Errors: `steps` below 1. Class: exact.
template <ScalarQuantizer Q, FitRule<Q> Rule = LibraryFit<Q>>
[[nodiscard]] std::vector<Q> shrunk_candidates(const Range& range, int steps = 100, const Rule& rule = {}) {
  if (steps < 1) raise("shrunk_candidates", "steps is ", steps, ", expected at least 1");
  std::vector<Q> candidates;
  for (int i = 0; i < steps; ++i) {
    const auto factor = static_cast<float>(1.0 - static_cast<double>(i) / steps);
    candidates.push_back(rule(Range{range.min * factor, range.max * factor, range.mean_abs * factor}));
  }
  return candidates;
}

/// Even steps from `least` on: factor i is `least + i * (most - least) / steps`, i < steps; `most` itself is left out.
/// The default is what PTQ4ViT's program tries with a Hessian metric.
struct ScaleFactors {
  double least = 0.01;
  double most = 1.2;
  int steps = 100;
};

/// `start` with its scale times each of the factors, in their order. `start` itself is not among them unless a factor
/// is 1. Source: Yuan et al., PTQ4ViT, ECCV 2022, published program. Errors: no steps; factors that are not positive.
/// Class: exact.
template <HasScale Q>
[[nodiscard]] std::vector<Q> scaled_candidates(const Q& start, const ScaleFactors& factors = {}) {
  if (factors.steps < 1) raise("scaled_candidates", "steps is ", factors.steps, ", expected at least 1");
  if (!(factors.least > 0 && factors.most > 0)) {
    raise("scaled_candidates", "factors go from ", factors.least, " to ", factors.most, ", expected positive ends");
  }
  std::vector<Q> candidates;
  for (int i = 0; i < factors.steps; ++i) {
    Q q = start;
    q.scale = usable_scale(start.scale *
                           static_cast<float>(factors.least + i * (factors.most - factors.least) / factors.steps));
    candidates.push_back(q);
  }
  return candidates;
}

}  // namespace halfstep::inline HALFSTEP_ABI
