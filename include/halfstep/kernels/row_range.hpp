#pragma once

/// \file
/// The range of a row: least, largest and mean absolute value.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// A range that grows with what it is shown. Ends are exact in any order; the sum of |x| is double, in the order shown.
struct RunningRange {
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  double sum_abs = 0;
  Index count = 0;

  /// The range so far; 0 .. 0 if nothing was shown.
  [[nodiscard]] Range range() const {
    if (count == 0) return {};
    return {min, max, static_cast<float>(sum_abs / static_cast<double>(count))};
  }
};

/// Widens `range` by `x[0 .. n)`, which must be finite. Class: exact.
inline void widen(RunningRange& range, const float* x, Index n) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  if (n >= lanes) {
    auto low = simd::load<simd::FloatBatch>(x);
    auto high = low;
    for (i = lanes; i + lanes <= n; i += lanes) {
      const auto value = simd::load<simd::FloatBatch>(x + i);
      low = simd::min(low, value);
      high = simd::max(high, value);
    }
    float lows[simd::batch_lanes], highs[simd::batch_lanes];
    simd::store(lows, low);
    simd::store(highs, high);
    for (std::size_t l = 0; l < simd::batch_lanes; ++l) {
      range.min = lows[l] < range.min ? lows[l] : range.min;
      range.max = highs[l] > range.max ? highs[l] : range.max;
    }
  }
  for (; i < n; ++i) {
    range.min = x[i] < range.min ? x[i] : range.min;
    range.max = x[i] > range.max ? x[i] : range.max;
  }
  range.count += n;
}

/// Adds |x[0 .. n)| to the sum behind `mean_abs`, first element first.
inline void add_abs(RunningRange& range, const float* x, Index n) {
  for (Index i = 0; i < n; ++i) range.sum_abs += static_cast<double>(x[i] < 0 ? -x[i] : x[i]);
}

}  // namespace halfstep::inline HALFSTEP_ABI
