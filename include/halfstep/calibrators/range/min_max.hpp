#pragma once

/// \file
/// The observer of least and largest values.

#include "halfstep/calibrators/range/exact_sum.hpp"
#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/row_range.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A `RangeStatistic` in the open, as a file holds it.
struct RangeStatisticParts {
  float min = 0;
  float max = 0;
  Index count = 0;
  ExactSum::Words sum_abs{};
};

/// Why no values have such a statistic; empty if some may.
[[nodiscard]] inline std::string_view fault_of(const RangeStatisticParts& parts) {
  if (!is_finite_bits(parts.min) || !is_finite_bits(parts.max)) return "an end of a range is not finite";
  if (parts.min > parts.max) return "the least value is above the largest";
  if (parts.count < 1 || parts.count > (Index{1} << 43)) return "the number of values is below 1 or beyond 2^43";
  // The sum as a double is within 2 units in the last place.
  const double most = static_cast<double>(absmax({parts.min, parts.max, 0})) * static_cast<double>(parts.count);
  if (ExactSum::of_words(parts.sum_abs).value() > most * (1 + 0x1p-50)) return "the sum of |x| is too large";
  return {};
}

/// Least, largest and mean absolute value of floats. Class: exact, in any order.
class RangeStatistic {
 public:
  RangeStatistic() = default;

  /// Error: `fault_of` has one.
  explicit RangeStatistic(const RangeStatisticParts& parts) : sum_abs_(ExactSum::of_words(parts.sum_abs)) {
    if (const std::string_view fault = fault_of(parts); !fault.empty()) raise("RangeStatistic", fault);
    ends_.min = parts.min;
    ends_.max = parts.max;
    ends_.count = parts.count;
  }
  /// Of values: there must be one.
  [[nodiscard]] RangeStatisticParts parts() const {
    return {ends_.min + 0.0f, ends_.max + 0.0f, ends_.count, sum_abs_.words()};
  }

  /// Adds x[0] to x[n - 1], which must be finite.
  void add(const float* x, Index n) {
    static_cast<void>(widen(ends_, x, n));  // finite, as asked for
    sum_abs_.add(x, n);
  }
  void merge(const RangeStatistic& other) {
    ends_.min = other.ends_.min < ends_.min ? other.ends_.min : ends_.min;
    ends_.max = other.ends_.max > ends_.max ? other.ends_.max : ends_.max;
    ends_.count += other.ends_.count;
    sum_abs_.merge(other.sum_abs_);
  }

  /// Number of values.
  [[nodiscard]] Index count() const { return ends_.count; }
  /// 0 .. 0 if there were none. Zeros are positive, whichever came first.
  [[nodiscard]] Range range() const {
    RunningRange all = ends_;
    all.sum_abs = sum_abs_.value();
    const Range range = all.range();
    return {range.min + 0.0f, range.max + 0.0f, range.mean_abs};
  }

  friend bool operator==(const RangeStatistic& a, const RangeStatistic& b) {
    return a.ends_.min == b.ends_.min && a.ends_.max == b.ends_.max && a.ends_.count == b.ends_.count &&
           a.sum_abs_ == b.sum_abs_;
  }

 private:
  RunningRange ends_;  // its own sum stays 0
  ExactSum sum_abs_;
};

/// The observer of ranges, per granule of a tiling: per tensor, per column (channel), per row, any other.
///
///     MinMax seen(per_column());
///     for (const auto& batch : batches) seen.observe(batch);
///     auto quantizers = fit_each<Uniform<8>>(seen.ranges());
///
/// Batches are matrices `[tokens, channels]`; which may differ in rows see `GranuleStatistics`. Class: exact, for any
/// executor and any order of batches and merges.
class MinMax {
 public:
  explicit MinMax(Tiling tiling = per_tensor()) : granules_(std::move(tiling)) {}

  /// What was seen before. Error: statistics that do not fit the tiling and the shape.
  MinMax(Tiling tiling, Shape shape, std::vector<RangeStatistic> granules)
      : granules_("MinMax", std::move(tiling), shape, {}, std::move(granules)) {}

  [[nodiscard]] const Tiling& tiling() const { return granules_.tiling(); }
  /// The shape of the last batch that had elements.
  [[nodiscard]] Shape shape() const { return granules_.shape(); }
  /// The statistics of each granule, in granule order. Error: no data was observed.
  [[nodiscard]] const std::vector<RangeStatistic>& granules() const { return granules_.observed("MinMax::granules"); }

  /// Widens the ranges by `batch`. An element that is not finite is refused by position, and the batch with it.
  template <Viewable M>
  void observe(const M& batch, ExecutorRef executor = {}) {
    granules_.observe("MinMax::observe", view(batch), executor);
  }

  /// Adds what `other`, of the same tiling and shape, has seen.
  void merge(const MinMax& other) { granules_.merge("MinMax::merge", other.granules_); }

  /// The range of each granule, in granule order. Error: no data was observed.
  [[nodiscard]] std::vector<Range> ranges() const { return ranges_of("MinMax::ranges"); }

  /// The range of the one granule. Errors: no data was observed; a tiling of several granules.
  [[nodiscard]] Range range() const { return only_granule("MinMax::range", ranges_of("MinMax::range"), "ranges()"); }

  friend bool operator==(const MinMax&, const MinMax&) = default;

 private:
  [[nodiscard]] std::vector<Range> ranges_of(std::string_view where) const {
    std::vector<Range> ranges;
    for (const RangeStatistic& granule : granules_.observed(where)) ranges.push_back(granule.range());
    return ranges;
  }

  GranuleStatistics<RangeStatistic> granules_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
