#pragma once

/// \file
/// FQ-ViT's range of least error: both ends shrunk together, in even steps.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/range_choice.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/tiling.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `omse`.
struct OmseOptions {
  int steps = 90;  ///< candidates, 1 to 100: step i has both ends times 1 - 0.01 i
  Tiling tiling = per_tensor();
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// For each granule of `matrix` `[rows, cols]`, the shrunk min-max range whose quantizer has the least mean squared
/// error over the granule; of equals the widest. `index` of a choice is the number of the winning step. `rule` makes a
/// quantizer of a range; what is published is `omse<Uniform<8>>(x, {}, fq_vit_unsigned_fit<8>)`.
///
/// The published loop adds the zero point before it rounds, this one after (ties.* in numerics.md): the objective
/// differs at exact ties only. `mse_range` searches better: each end by itself, and further down. Errors: no elements;
/// one that is not finite. Encodes each granule once per step. Class: ordered, for any executor. Source: Lin et al.,
/// FQ-ViT, IJCAI 2022, observer "omse" of the published code.
template <ScalarQuantizer Q, Viewable M, FitRule<Q> Rule = LibraryFit<Q>>
[[nodiscard]] std::vector<RangeChoice<Q>> omse(const M& matrix, const OmseOptions& options = {},
                                               const Rule& rule = {}) {
  if (options.steps < 1 || options.steps > 100) raise("omse", "steps is ", options.steps, ", expected 1 to 100");
  const auto source = view(matrix);
  std::vector<RangeChoice<Q>> choices(static_cast<std::size_t>(granule_count(options.tiling, shape_of(source))));
  const auto choose = [&](Index granule, std::span<const float> values) {
    RangeStatistic seen;
    seen.add(values.data(), static_cast<Index>(values.size()));
    const Range whole = seen.range();
    BestRange<Q> search;
    for (int i = 0; i < options.steps; ++i) {
      const auto factor = static_cast<float>(1.0 - i * 0.01);
      const Range range{whole.min * factor, whole.max * factor, whole.mean_abs};
      const Q q = rule(range);
      search.offer(q, range, squared_error(q, values, options.executor) / static_cast<double>(values.size()));
    }
    choices[static_cast<std::size_t>(granule)] = search.best();
  };
  for_each_granule("omse", source, options.tiling, options.executor, choose);
  return choices;
}

}  // namespace halfstep::inline HALFSTEP_ABI
