#pragma once

/// \file
/// The observer that remembers a distribution.

#include "halfstep/calibrators/range/float_bins.hpp"
#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/percentile.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The range of counted values: ends are exact; the mean of |x| takes each bin at its middle, so it is off by at most
/// 2^-(mantissa_bits + 1) of itself. Class: ordered.
[[nodiscard]] inline Range range_of(const FloatBins& bins) {
  if (bins.count() == 0) return {};
  double sum_abs = 0;
  bins.for_each_bin([&](const FloatBin& bin) {
    const double middle = (static_cast<double>(bin.low) + static_cast<double>(bin.high)) / 2;
    const double magnitude = middle < 0 ? -middle : middle;
    // 25 bits times at most 28: exact products, so that a fused multiply-add changes nothing.
    sum_abs += magnitude * static_cast<double>(bin.count >> 24) * 0x1p24;
    sum_abs += magnitude * static_cast<double>(bin.count & 0xffffff);
  });
  return {bins.min(), bins.max(), static_cast<float>(sum_abs / static_cast<double>(bins.count()))};
}

/// The observer of distributions, per granule of a tiling, whose bins are the leading bits of the float: no range is
/// needed in advance, and counts and extrema merge exactly.
///
///     Histogram seen(per_tensor());
///     for (const auto& batch : batches) seen.observe(batch);  // threads: one histogram each, then seen.merge(other)
///     auto activation = mse_range<Uniform<8>>(seen);
///
/// Batches are matrices `[tokens, channels]`; which may differ in rows see `GranuleStatistics`. Memory per granule: 1
/// KiB per octave and sign at 7 mantissa bits (`FloatBins`), some 20 octaves for ordinary data; fewer bits for many
/// channels. Class: exact, for any executor and any order of batches and merges.
class Histogram {
 public:
  explicit Histogram(Tiling tiling = per_tensor(), int mantissa_bits = 7)
      : mantissa_bits_(mantissa_bits), granules_(std::move(tiling), FloatBins(mantissa_bits)) {}

  /// What was seen before. Errors: counts that do not fit the tiling and the shape, or have bins of different widths.
  Histogram(Tiling tiling, Shape shape, std::vector<FloatBins> granules)
      : mantissa_bits_(granules.empty() ? 7 : granules[0].mantissa_bits()),
        granules_("Histogram", std::move(tiling), shape, FloatBins(mantissa_bits_), std::move(granules)) {
    for (const FloatBins& bins : granules_.observed("Histogram")) {
      if (bins.mantissa_bits() == mantissa_bits_) continue;
      raise("Histogram", "granules have bins of ", mantissa_bits_, " and of ", bins.mantissa_bits(), " mantissa bits");
    }
  }

  [[nodiscard]] const Tiling& tiling() const { return granules_.tiling(); }
  /// The shape of the last batch that had elements.
  [[nodiscard]] Shape shape() const { return granules_.shape(); }
  [[nodiscard]] int mantissa_bits() const { return mantissa_bits_; }

  /// Counts the elements of `batch`. One that is not finite is refused by position, and the batch with it.
  template <Viewable M>
  void observe(const M& batch, ExecutorRef executor = {}) {
    granules_.observe("Histogram::observe", view(batch), executor);
  }

  /// Adds the counts of `other`, of the same tiling, shape and width of bins.
  void merge(const Histogram& other) {
    if (mantissa_bits_ != other.mantissa_bits_) {
      raise("Histogram::merge", "other has ", other.mantissa_bits_, " mantissa bits, expected ", mantissa_bits_);
    }
    granules_.merge("Histogram::merge", other.granules_);
  }

  /// The counts of each granule, in granule order. Error: no data was observed.
  [[nodiscard]] const std::vector<FloatBins>& granules() const { return granules_.observed("Histogram::granules"); }

  /// The range of each granule, in granule order. Error: no data was observed.
  [[nodiscard]] std::vector<Range> ranges() const { return ranges_of("Histogram::ranges"); }

  /// The range of the one granule. Errors: no data was observed; a tiling of several granules.
  [[nodiscard]] Range range() const {
    return only_granule("Histogram::range", ranges_of("Histogram::range"), "ranges()");
  }

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  [[nodiscard]] std::vector<Range> ranges_of(std::string_view where) const {
    std::vector<Range> ranges;
    for (const FloatBins& bins : granules_.observed(where)) ranges.push_back(range_of(bins));
    return ranges;
  }

  int mantissa_bits_;
  GranuleStatistics<FloatBins> granules_;
};

/// The range `Q(1 - p) .. Q(p)` of each granule, from its counts: streaming percentiles, off by less than a bin's width
/// (2^-mantissa_bits of the value). Errors: no data was observed; p outside [0.5, 1]. Class: ordered.
[[nodiscard]] inline std::vector<Range> percentile_ranges(const Histogram& histogram, double p) {
  require_percentile("percentile_ranges", p);
  std::vector<Range> ranges;
  for (const FloatBins& bins : histogram.granules()) {
    ranges.push_back({quantile(bins, 1.0 - p), quantile(bins, p), range_of(bins).mean_abs});
  }
  return ranges;
}

/// The same for a tiling of one granule.
[[nodiscard]] inline Range percentile_range(const Histogram& histogram, double p) {
  return only_granule("percentile_range", percentile_ranges(histogram, p), "percentile_ranges");
}

}  // namespace halfstep::inline HALFSTEP_ABI
