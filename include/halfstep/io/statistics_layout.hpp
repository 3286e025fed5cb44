#pragma once

/// \file
/// The names and types under which statistics stand in a safetensors file.
///
/// Statistics `s` of G granules:
///
///     metadata "halfstep.statistics": "1"
///     metadata "halfstep.statistics.s": {"kind": "histogram", "tile_rows": 0, "tile_cols": 1, ...}
///     s.shape      I64 [2]      rows and columns of the last batch                         histogram, min_max
///     s.groups     I32 [cols]   the group of each column, where columns are mapped to groups
///
/// and by kind:
///
///     histogram                "mantissa_bits": m
///       s.ends     F32 [G, 2]   least and largest value
///       s.zeros    I64 [G]      how many values are 0
///       s.octaves  I32 [G, 4]   first octave (exponent field) and number of them, of the positive and of the negative
///                               values; 0, 0 if there are none
///       s.counts   I64 [n]      2^m counts for each octave, granule by granule, positive values first, by magnitude
///     min_max
///       s.ends     F32 [G, 2]   least and largest value
///       s.values   I64 [G]      how many values there were
///       s.sum_abs  U64 [G, 5]   the exact sum of |x| in units of 2^-149, lowest digit first
///     running_average          "sigma", "batches"
///     running_percentile, running_percentile_max    "p" as well
///       s.ranges   F32 [G, 3]   average of least value, largest value and mean of |x|
///     headwise_range           "sigma", "batches", "groups"; no tiling
///       s.estimates F32 [groups, 2]   span and shift
///
/// That is all that an observer remembers: one that is loaded goes on as if it had never been saved.

#include "halfstep/calibrators/range/headwise_range.hpp"
#include "halfstep/calibrators/range/histogram.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/percentile.hpp"
#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/calibrators/range/running_percentile_max.hpp"
#include "halfstep/config.hpp"

#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// The number under "halfstep.statistics". A reader refuses a higher one.
inline constexpr int statistics_format_version = 1;

/// The metadata key that tells a file of statistics, and the one of one observer.
inline constexpr std::string_view statistics_format_key = "halfstep.statistics";
[[nodiscard]] inline std::string statistics_key(std::string_view name) {
  return "halfstep.statistics." + std::string(name);
}

/// What a file calls the statistics of an observer.
template <class Observer>
inline constexpr std::string_view statistics_kind = {};
template <>
inline constexpr std::string_view statistics_kind<Histogram> = "histogram";
template <>
inline constexpr std::string_view statistics_kind<MinMax> = "min_max";
template <>
inline constexpr std::string_view statistics_kind<RunningAverage> = "running_average";
template <>
inline constexpr std::string_view statistics_kind<RunningPercentile> = "running_percentile";
template <>
inline constexpr std::string_view statistics_kind<RunningPercentileMax> = "running_percentile_max";
template <>
inline constexpr std::string_view statistics_kind<HeadwiseRange> = "headwise_range";

/// An observer whose statistics can be saved and loaded.
template <class Observer>
concept StorableObserver = !statistics_kind<Observer>.empty();

}  // namespace halfstep::inline HALFSTEP_ABI
