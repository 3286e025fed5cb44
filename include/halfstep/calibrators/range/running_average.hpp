#pragma once

/// \file
/// Ranges that follow their batches: an exponential running average of the ends.

#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/moved_toward.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a `RunningAverage` is kept.
struct RunningAverageOptions {
  Tiling tiling = per_tensor();
  float sigma = 0.01f;  ///< weight of a new batch, in (0, 1]
};

/// Why these are no ranges of averages; empty if they are.
[[nodiscard]] inline std::string_view fault_of(std::span<const Range> ranges) {
  for (const Range& range : ranges) {
    if (!is_finite_bits(range.min) || !is_finite_bits(range.max)) return "an end of a range is not finite";
    if (!(is_finite_bits(range.mean_abs) && range.mean_abs >= 0)) return "a mean of |x| is negative or not finite";
    if (range.min > range.max) return "the least value of a range is above the largest";
  }
  return {};
}

/// The range of each granule as a running average over batches: the first batch sets it, each further one moves it,
/// `v += sigma * (current - v)`, for both ends and for the mean of |x| (FQ-ViT, EMA observer; also Quamba's and the
/// outlier-free transformers' activations, with their sigma).
///
/// FQ-ViT's layer-wise mode reduces its channels after every update. As a rounded average grows with what is averaged,
/// that is, bit for bit, the average of the range of the tensor: tiling `per_tensor()`.
///
/// An average depends on the order of its batches, so it cannot be merged: observe batches in order, or compute their
/// ranges anywhere (`MinMax`) and `update` in order. Class: exact, given the order.
class RunningAverage {
 public:
  explicit RunningAverage(RunningAverageOptions options = {}) : options_(std::move(options)) {
    if (!(options_.sigma > 0 && options_.sigma <= 1)) {
      raise("RunningAverage", "sigma is ", options_.sigma, ", expected more than 0 and at most 1");
    }
  }

  /// What was kept before: the averages of `batches` batches. Errors: none of either, ranges that are none.
  RunningAverage(RunningAverageOptions options, Index batches, std::vector<Range> ranges)
      : RunningAverage(std::move(options)) {
    if (batches < 1) raise("RunningAverage", "batches is ", batches, ", expected at least 1");
    if (ranges.empty()) raise("RunningAverage", "no ranges were given");
    if (const std::string_view fault = fault_of(ranges); !fault.empty()) raise("RunningAverage", fault);
    batches_ = batches;
    ranges_ = std::move(ranges);
  }

  [[nodiscard]] const RunningAverageOptions& options() const { return options_; }
  /// Number of batches so far.
  [[nodiscard]] Index batches() const { return batches_; }

  /// Moves the ranges toward those of `batch` `[tokens, channels]`, which must have elements, all finite.
  template <Viewable M>
  void observe(const M& batch, ExecutorRef executor = {}) {
    GranuleStatistics<RangeStatistic> seen(options_.tiling);
    seen.observe("RunningAverage::observe", view(batch), executor);
    std::vector<Range> current;
    for (const RangeStatistic& granule : seen.observed("RunningAverage::observe")) current.push_back(granule.range());
    move_toward("RunningAverage::observe", current);
  }

  /// Moves the ranges toward `current`, those of one batch in granule order.
  void update(std::span<const Range> current) { move_toward("RunningAverage::update", current); }

  /// The average range of each granule. Error: no data was observed.
  [[nodiscard]] std::vector<Range> ranges() const { return ranges_of("RunningAverage::ranges"); }

  /// The average range of the one granule. Errors: no data was observed; a tiling of several granules.
  [[nodiscard]] Range range() const {
    return only_granule("RunningAverage::range", ranges_of("RunningAverage::range"), "ranges()");
  }

 private:
  [[nodiscard]] const std::vector<Range>& ranges_of(std::string_view where) const {
    if (batches_ == 0) raise(where, "no data was observed");
    return ranges_;
  }

  void move_toward(std::string_view where, std::span<const Range> current) {
    if (current.empty()) raise(where, "no ranges were given");
    if (batches_ > 0 && current.size() != ranges_.size()) {
      raise(where, "the batch has ", current.size(), " granules, expected ", ranges_.size(), " as before");
    }
    if (batches_ == 0) {
      ranges_.assign(current.begin(), current.end());
    } else {
      for (std::size_t g = 0; g < ranges_.size(); ++g) {
        ranges_[g] = {moved(ranges_[g].min, current[g].min), moved(ranges_[g].max, current[g].max),
                      moved(ranges_[g].mean_abs, current[g].mean_abs)};
      }
    }
    ++batches_;
  }

  [[nodiscard]] float moved(float average, float current) const {
    return moved_toward(average, current, options_.sigma);
  }

  RunningAverageOptions options_;
  std::vector<Range> ranges_;
  Index batches_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
