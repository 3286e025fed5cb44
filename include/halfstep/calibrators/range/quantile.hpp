#pragma once

/// \file
/// The quantile that the published quantizers mean.
///
/// `Q(x, p)`: sort, rank `p * (n - 1)` in float32 with p rounded to float32 as well, and the two neighbours of the rank
/// joined by a line (torch.quantile). A rank in double would move the scales of small samples by up to 2e-5 of
/// themselves. Above 2^24 values, which float32 ranks cannot tell apart, torch.quantile refuses and the published code
/// falls back to a rank in double (numpy.percentile): so does this one.

#include "halfstep/calibrators/range/moved_toward.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Where a quantile lies among n ascending values: between number `below` and number `above`, `weight` of the way.
struct QuantileRank {
  Index below = 0;
  Index above = 0;
  double weight = 0;  ///< in [0, 1); a float32 number up to 2^24 values
  bool float32_ranks = true;
  friend bool operator==(const QuantileRank&, const QuantileRank&) = default;
};

/// The rank of quantile `p` in [0, 1] of n >= 1 values. Class: exact.
[[nodiscard]] inline QuantileRank quantile_rank(Index n, double p) {
  if (n < 1) raise("quantile_rank", "there are ", n, " values, expected at least 1");
  if (!(p >= 0 && p <= 1)) raise("quantile_rank", "p is ", p, ", expected 0 to 1");
  QuantileRank result;
  result.float32_ranks = n <= (Index{1} << 24);
  // The product is rounded before anything is taken from it: a fused multiply-subtract would give another weight.
  const double rank = result.float32_ranks
                          ? static_cast<double>(simd::pinned(static_cast<float>(p) * static_cast<float>(n - 1)))
                          : std::fma(p, static_cast<double>(n - 1), 0.0);
  result.below = std::min(static_cast<Index>(rank), n - 1);
  result.above = std::min(static_cast<Index>(std::ceil(rank)), n - 1);
  result.weight = rank - static_cast<double>(result.below);
  return result;
}

/// The value at `rank` between the two neighbours `below <= above` that it names. Class: exact.
[[nodiscard]] inline float value_at(const QuantileRank& rank, float below, float above) {
  if (!rank.float32_ranks) {
    const double distance = static_cast<double>(above) - static_cast<double>(below);
    return static_cast<float>(std::fma(rank.weight, distance, static_cast<double>(below)));
  }
  // From the nearer end, as torch.lerp does.
  const auto weight = static_cast<float>(rank.weight);
  return weight < 0.5f ? moved_toward(below, above, weight) : moved_toward(above, below, 1.0f - weight);
}

/// Quantile `p` of values in ascending order, or after `sort_tails` for this p or one nearer to 1/2. Errors: no values;
/// p outside [0, 1]. O(1). Class: exact.
[[nodiscard]] inline float sorted_quantile(std::span<const float> ascending, double p) {
  const QuantileRank rank = quantile_rank(static_cast<Index>(ascending.size()), p);
  return value_at(rank, ascending[static_cast<std::size_t>(rank.below)],
                  ascending[static_cast<std::size_t>(rank.above)]);
}

/// Brings the values that `Q(1 - p)` and `Q(p)` depend on, and all further out, to where sorting would put them, p in
/// [0.5, 1]. The middle is left in any order: O(n) for p near 1, where sorting costs ten times as much. Values must
/// not be NaN.
inline void sort_tails(std::span<float> values, double p) {
  const auto n = static_cast<Index>(values.size());
  const auto low = values.begin() + quantile_rank(n, 1.0 - p).above;
  const auto high = values.begin() + quantile_rank(n, p).below;
  if (low >= high) return std::sort(values.begin(), values.end());
  std::nth_element(values.begin(), low, values.end());
  std::sort(values.begin(), low);
  std::nth_element(low + 1, high, values.end());
  std::sort(high + 1, values.end());
}

/// Quantile `p` of values in any order. Errors: no values; one that is NaN; p outside [0, 1]. O(n), on a copy; for
/// several quantiles of the same values, sort once (or their tails) and use `sorted_quantile`. Class: exact.
[[nodiscard]] inline float quantile(std::span<const float> values, double p) {
  const QuantileRank rank = quantile_rank(static_cast<Index>(values.size()), p);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (simd::is_nan(values[i])) raise("quantile", "values[", i, "] is nan");
  }
  std::vector<float> copy(values.begin(), values.end());
  const auto below = copy.begin() + rank.below;
  std::nth_element(copy.begin(), below, copy.end());
  const float above = rank.above == rank.below ? *below : *std::min_element(below + 1, copy.end());
  return value_at(rank, *below, above);
}

}  // namespace halfstep::inline HALFSTEP_ABI
