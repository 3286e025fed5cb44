#pragma once

/// \file
/// The range of least mean squared error, searched over both ends, from a histogram or from data.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/float_bins.hpp"
#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/histogram.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/range_choice.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/tiling.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `mse_range` and its kin.
struct MseRangeOptions {
  Symmetry symmetry = Symmetry::affine;  ///< affine: each end is searched by itself
  Tiling tiling = per_tensor();          ///< of data; a histogram has a tiling of its own
  int steps = 96;                        ///< candidates of one scan, at least 1, a ratio of 15/16 apart
  int rounds = 2;                        ///< scans of each end by itself, at least 0
  ExecutorRef executor = {};             ///< results do not depend on it
};

/// The search of `mse_range` over one granule: min-max first, then ends moved inward as long as that helps.
///
/// 1. Both ends times (15/16)^i, i < steps (0.002 for 96). 2. Affine quantizers, `rounds` times: the upper end alone
/// over the same grid, then the lower end alone. 3. Every end that was searched by itself (both together, if none was)
/// times 1 + k/128, |k| <= 8. Least error wins, the first of equals: a range is moved only for a gain, and its error is
/// never above that of min-max.
template <ScalarQuantizer Q>
class MseRangeSearch {
 public:
  /// `mse` gives the mean squared error of a quantizer over the granule, whose range is `whole`.
  MseRangeSearch(const Range& whole, const MseRangeOptions& options, FunctionRef<double(const Q&)> mse)
      : whole_(whole), rule_{options.symmetry}, mse_(mse), steps_(options.steps) {
    offer(whole.min, whole.max);
    scan(&MseRangeSearch::offer_both);
    const bool by_end = HasSymmetry<Q> && options.symmetry == Symmetry::affine;
    const bool high = by_end && whole.max > 0, low = by_end && whole.min < 0;
    for (int round = 0; round < options.rounds; ++round) {
      if (high) scan(&MseRangeSearch::offer_high);
      if (low) scan(&MseRangeSearch::offer_low);
    }
    if (!by_end) refine(&MseRangeSearch::offer_both);
    if (high) refine(&MseRangeSearch::offer_high);
    if (low) refine(&MseRangeSearch::offer_low);
  }

  [[nodiscard]] const RangeChoice<Q>& best() const { return search_.best(); }

 private:
  /// Offers the range with an end (or both) at a share of where it was in `from`.
  using OfferShare = void (MseRangeSearch::*)(double share, const Range& from);

  void offer(float low, float high) {
    const Range range{low < whole_.min ? whole_.min : low, high > whole_.max ? whole_.max : high, whole_.mean_abs};
    const Q q = rule_(range);
    search_.offer(q, range, mse_(q));
  }
  void offer_both(double share, const Range& from) { offer(times(from.min, share), times(from.max, share)); }
  void offer_high(double share, const Range& from) { offer(best().range.min, times(from.max, share)); }
  void offer_low(double share, const Range& from) { offer(times(from.min, share), best().range.max); }
  static float times(float end, double share) { return static_cast<float>(static_cast<double>(end) * share); }

  void scan(OfferShare offer_share) {
    double share = 1;
    for (int i = 1; i < steps_; ++i) {
      share *= 0.9375;
      (this->*offer_share)(share, whole_);
    }
  }

  void refine(OfferShare offer_share) {
    const Range from = best().range;
    for (int k = -8; k <= 8; ++k) {
      if (k != 0) (this->*offer_share)(1 + k / 128.0, from);
    }
  }

  Range whole_;
  LibraryFit<Q> rule_;
  FunctionRef<double(const Q&)> mse_;
  int steps_;
  BestRange<Q> search_;
};

/// Refuses options that no search can follow.
inline void require_mse_options(std::string_view where, const MseRangeOptions& options) {
  if (options.steps < 1) raise(where, "steps is ", options.steps, ", expected at least 1");
  if (options.rounds < 0) raise(where, "rounds is ", options.rounds, ", expected at least 0");
}

/// The range of least mean squared error of each granule of `matrix` `[rows, cols]`, its quantizer fitted by `Q::fit`.
///
/// Errors: no elements; one that is not finite. Encodes each granule about 500 times (symmetric: 110). Class: ordered,
/// for any executor.
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] std::vector<RangeChoice<Q>> mse_search(const M& matrix, const MseRangeOptions& options = {}) {
  require_mse_options("mse_search", options);
  const auto source = view(matrix);
  std::vector<RangeChoice<Q>> choices(static_cast<std::size_t>(granule_count(options.tiling, shape_of(source))));
  const auto choose = [&](Index granule, std::span<const float> values) {
    RangeStatistic seen;
    seen.add(values.data(), static_cast<Index>(values.size()));
    const auto mse = [&](const Q& q) {
      return squared_error(q, values, options.executor) / static_cast<double>(values.size());
    };
    choices[static_cast<std::size_t>(granule)] = MseRangeSearch<Q>(seen.range(), options, mse).best();
  };
  for_each_granule("mse_search", source, options.tiling, options.executor, choose);
  return choices;
}

/// What stands for counted values in a search: up to four points per bin, evenly spread, that share its count; padded
/// with weight 0 to a multiple of 16.
struct WeightedPoints {
  std::vector<float> values;
  std::vector<float> weights;

  explicit WeightedPoints(const FloatBins& bins) {
    bins.for_each_bin([&](const FloatBin& bin) {
      const std::int64_t points = bin.low == bin.high ? 1 : (bin.count < 4 ? bin.count : 4);
      for (std::int64_t i = 0; i < points; ++i) {
        const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(points);
        values.push_back(bin.low == bin.high ? bin.low : moved_toward(bin.low, bin.high, static_cast<float>(share)));
        weights.push_back(static_cast<float>(static_cast<double>(bin.count) / static_cast<double>(points)));
      }
    });
    while (values.size() % ColumnSums::width != 0) {
      values.push_back(0.0f);
      weights.push_back(0.0f);
    }
  }
};

/// The same from counts alone: the values of a bin count as evenly spread over it, so the error is an estimate, good
/// while bins are narrower than steps (7 mantissa bits: the largest values have bins of half a step of `Uniform<8>`).
/// Errors: no data was observed. Class: ordered, for any executor.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<RangeChoice<Q>> mse_search(const Histogram& histogram, const MseRangeOptions& options = {}) {
  require_mse_options("mse_search", options);
  if (!(options.tiling == per_tensor()) && !(options.tiling == histogram.tiling())) {
    raise("mse_search", "options have a tiling, which the histogram chose already: leave it out");
  }
  const std::vector<FloatBins>& granules = histogram.granules();
  std::vector<RangeChoice<Q>> choices(granules.size());
  parallel_for(options.executor, static_cast<Index>(granules.size()), 1, [&](Index begin, Index end) {
    for (auto g = static_cast<std::size_t>(begin); g < static_cast<std::size_t>(end); ++g) {
      const WeightedPoints points(granules[g]);
      const auto count = static_cast<double>(granules[g].count());
      const auto mse = [&](const Q& q) { return weighted_squared_error<Q>(q, points.values, points.weights) / count; };
      choices[g] = MseRangeSearch<Q>(range_of(granules[g]), options, mse).best();
    }
  });
  return choices;
}

/// The quantizer of least mean squared error of each granule, in granule order: of a histogram, or of a matrix.
/// `mse_search` tells the ranges and errors as well, and says more.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<Q> mse_ranges(const Histogram& histogram, const MseRangeOptions& options = {}) {
  return quantizers_of(mse_search<Q>(histogram, options));
}
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] std::vector<Q> mse_ranges(const M& matrix, const MseRangeOptions& options = {}) {
  return quantizers_of(mse_search<Q>(matrix, options));
}

/// The same for a tiling of one granule: `auto activation = mse_range<Uniform<8>>(histogram);`
template <ScalarQuantizer Q>
[[nodiscard]] Q mse_range(const Histogram& histogram, const MseRangeOptions& options = {}) {
  return only_granule("mse_range", mse_ranges<Q>(histogram, options), "mse_ranges");
}
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] Q mse_range(const M& matrix, const MseRangeOptions& options = {}) {
  return only_granule("mse_range", mse_ranges<Q>(matrix, options), "mse_ranges");
}

}  // namespace halfstep::inline HALFSTEP_ABI
