#pragma once

/// \file
/// Ranges from percentiles: the ends leave out a share of the values on each side.

#include "halfstep/calibrators/range/exact_sum.hpp"
#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/quantile.hpp"
#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Refuses a percentile whose ends would cross.
inline void require_percentile(std::string_view where, double p) {
  if (!(p >= 0.5 && p <= 1)) raise(where, "p is ", p, ", expected 0.5 to 1");
}

/// The range `Q(1 - p) .. Q(p)` of values in ascending order (or after `sort_tails`) whose mean of |x| is `mean`; `1 -
/// p` is formed in double, then rounded (quantile.hpp). Class: exact.
[[nodiscard]] inline Range sorted_percentile_range(std::span<const float> ascending, double p, float mean) {
  require_percentile("sorted_percentile_range", p);
  return {sorted_quantile(ascending, 1.0 - p), sorted_quantile(ascending, p), mean};
}

/// Options of `percentile_ranges`.
struct PercentileOptions {
  double p = 0.99999;  ///< in [0.5, 1]; 1 is min-max
  Tiling tiling = per_tensor();
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// The range `Q(1 - p) .. Q(p)` of each granule of `matrix` `[rows, cols]`, in granule order (quantile.hpp has Q;
/// FQ-ViT, percentile observer; RepQ-ViT). Errors: no elements; one that is not finite. Sorts the tails of a copy of
/// each granule; `mean_abs` is that of all values. Class: exact, for any executor.
template <Viewable M>
[[nodiscard]] std::vector<Range> percentile_ranges(const M& matrix, const PercentileOptions& options = {}) {
  require_percentile("percentile_ranges", options.p);
  const auto source = view(matrix);
  std::vector<Range> ranges(static_cast<std::size_t>(granule_count(options.tiling, shape_of(source))));
  for_each_granule(
      "percentile_ranges", source, options.tiling, options.executor, [&](Index granule, std::span<const float> values) {
        std::vector<float> sorted(values.begin(), values.end());
        sort_tails(sorted, options.p);
        ranges[static_cast<std::size_t>(granule)] = sorted_percentile_range(sorted, options.p, mean_abs(values));
      });
  return ranges;
}

/// The same for a tiling of one granule.
template <Viewable M>
[[nodiscard]] Range percentile_range(const M& matrix, const PercentileOptions& options = {}) {
  return only_granule("percentile_range", percentile_ranges(matrix, options), "percentile_ranges");
}

/// How a `RunningPercentile` is kept.
struct RunningPercentileOptions {
  double p = 0.99999;
  Tiling tiling = per_tensor();
  float sigma = 0.01f;  ///< weight of a new batch
};

/// The percentile range of each granule as a running average over batches (FQ-ViT's percentile observer, per tensor;
/// Quamba's inputs): `RunningAverage` fed with `percentile_ranges` of every batch. Not mergeable, like any average that
/// depends on the order of its batches; `Histogram` has percentiles that are. Class: exact,
/// given the order.
class RunningPercentile {
 public:
  explicit RunningPercentile(RunningPercentileOptions options = {})
      : p_(options.p), average_({.tiling = std::move(options.tiling), .sigma = options.sigma}) {
    require_percentile("RunningPercentile", p_);
  }

  /// What was kept before. Errors: those of `RunningAverage`.
  RunningPercentile(const RunningPercentileOptions& options, Index batches, std::vector<Range> ranges)
      : RunningPercentile(options) {
    average_ = RunningAverage(average_.options(), batches, std::move(ranges));
  }

  [[nodiscard]] RunningPercentileOptions options() const {
    return {p_, average_.options().tiling, average_.options().sigma};
  }

  /// Moves the ranges toward the percentiles of `batch` `[tokens, channels]`, which must have elements, all finite.
  template <Viewable M>
  void observe(const M& batch, ExecutorRef executor = {}) {
    average_.update(percentile_ranges(batch, {.p = p_, .tiling = average_.options().tiling, .executor = executor}));
  }

  [[nodiscard]] Index batches() const { return average_.batches(); }
  /// The average range of each granule. Error: no data was observed.
  [[nodiscard]] std::vector<Range> ranges() const { return average_.ranges(); }
  /// The average range of the one granule. Errors: no data was observed; a tiling of several granules.
  [[nodiscard]] Range range() const { return average_.range(); }

 private:
  double p_;
  RunningAverage average_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
