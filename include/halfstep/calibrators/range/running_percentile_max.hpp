#pragma once

/// \file
/// The percentile maximum of state-space models: a running average of the quantile of |x|.

#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/moved_toward.hpp"
#include "halfstep/calibrators/range/quantile.hpp"
#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a `RunningPercentileMax` is kept.
struct RunningPercentileMaxOptions {
  double p = 0.9995;  ///< of |x|, in [0, 1]; 1 is the largest magnitude
  Tiling tiling = per_tensor();
  float sigma = 0.01f;  ///< weight of a new batch, in (0, 1]
};

/// The largest magnitude but for a share `1 - p` of outliers, of each granule, as a running average over batches: the
/// first batch sets `m = Q(|x|, p)`, each further one moves it, `m += sigma * (Q(|x|, p) - m)`. Values above it
/// saturate. For the input of a selective scan (`quamba_fit` makes a quantizer of it); `MinMax` has the running
/// absolute maximum that the other activations get.
///
/// Depends on the order of its batches, so it cannot be merged. Class: exact, given the order.
/// Source: Chiang et al., "Quamba", 2024, section 4.2 and its published observer, whose quantile has a float32 rank
/// (quantile.hpp).
class RunningPercentileMax {
 public:
  explicit RunningPercentileMax(RunningPercentileMaxOptions options = {})
      : p_(options.p), average_({.tiling = std::move(options.tiling), .sigma = options.sigma}) {
    if (!(p_ >= 0 && p_ <= 1)) raise("RunningPercentileMax", "p is ", p_, ", expected 0 to 1");
  }

  /// What was kept before. Errors: those of `RunningAverage`.
  RunningPercentileMax(const RunningPercentileMaxOptions& options, Index batches, std::vector<Range> ranges)
      : RunningPercentileMax(options) {
    average_ = RunningAverage(average_.options(), batches, std::move(ranges));
  }

  [[nodiscard]] RunningPercentileMaxOptions options() const {
    return {p_, average_.options().tiling, average_.options().sigma};
  }
  /// Number of batches so far.
  [[nodiscard]] Index batches() const { return average_.batches(); }

  /// Moves the maxima toward those of `batch` `[tokens, channels]`, which must have elements, all finite.
  template <Viewable M>
  void observe(const M& batch, ExecutorRef executor = {}) {
    const auto source = view(batch);
    const Tiling& tiling = average_.options().tiling;
    std::vector<Range> current(static_cast<std::size_t>(granule_count(tiling, shape_of(source))));
    for_each_granule("RunningPercentileMax::observe", source, tiling, executor,
                     [&](Index granule, std::span<const float> values) {
                       std::vector<float> magnitudes(values.begin(), values.end());
                       for (float& x : magnitudes) x = std::fabs(x);
                       const float m = quantile(magnitudes, p_);
                       current[static_cast<std::size_t>(granule)] = {-m, m, mean_abs(values)};
                     });
    average_.update(current);
  }

  /// `-m .. m` of each granule, with the average of the mean of |x|. Error: no data was observed.
  [[nodiscard]] std::vector<Range> ranges() const { return average_.ranges(); }
  /// The same of the one granule. Errors: no data was observed; a tiling of several granules.
  [[nodiscard]] Range range() const { return average_.range(); }

 private:
  double p_;
  RunningAverage average_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
