#pragma once

/// \file
/// The range of a row: least, largest and mean absolute value.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <cstddef>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// A range that grows with what it is shown. Ends are exact in any order; the sum of |x| is double, in the order shown.
struct RunningRange {
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  double sum_abs = 0;
  Index count = 0;

  /// Widens by another range, whose sum is added to this one's.
  void merge(const RunningRange& other) {
    min = other.min < min ? other.min : min;
    max = other.max > max ? other.max : max;
    sum_abs += other.sum_abs;
    count += other.count;
  }

  /// The range so far; 0 .. 0 if nothing was shown. Zeros are positive, so that which zero came first does not show.
  [[nodiscard]] Range range() const {
    if (count == 0) return {};
    return {min + 0.0f, max + 0.0f, static_cast<float>(sum_abs / static_cast<double>(count))};
  }
};

/// Widens `range` by `x[0 .. n)`. Returns whether all of them are finite; if not, the range means nothing from then on.
/// Looks at bits, so that it works under -ffast-math. One pass. Class: exact.
[[nodiscard]] inline bool widen(RunningRange& range, const float* x, Index n) {
  using simd::FloatBatch;
  using simd::IntBatch;
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  bool finite = true;
  Index i = 0;
  if (n >= lanes) {
    FloatBatch low = simd::load<FloatBatch>(x), high = low;
    IntBatch largest = simd::to_bits(low) & IntBatch(0x7fffffff);  // bits of magnitudes order like magnitudes
    for (i = lanes; i + lanes <= n; i += lanes) {
      const auto value = simd::load<FloatBatch>(x + i);
      low = simd::min(low, value);
      high = simd::max(high, value);
      largest = simd::max(largest, simd::to_bits(value) & IntBatch(0x7fffffff));
    }
    finite = !simd::any(largest >= IntBatch(0x7f800000));
    float lows[simd::batch_lanes], highs[simd::batch_lanes];
    simd::store(lows, low);
    simd::store(highs, high);
    for (std::size_t l = 0; l < simd::batch_lanes; ++l) {
      range.min = lows[l] < range.min ? lows[l] : range.min;
      range.max = highs[l] > range.max ? highs[l] : range.max;
    }
  }
  for (; i < n; ++i) {
    finite = finite && simd::is_finite(x[i]);
    range.min = x[i] < range.min ? x[i] : range.min;
    range.max = x[i] > range.max ? x[i] : range.max;
  }
  range.count += n;
  return finite;
}

/// Adds |x[0 .. n)| to the sum behind `mean_abs`: eight partial sums, element i to number i % 8, added from the first
/// to the last; the order is the same on every machine, and eight additions are in flight. Class: ordered.
inline void add_abs(RunningRange& range, const float* x, Index n) {
  double sums[8] = {};
  Index i = 0;
  for (; i + 8 <= n; i += 8) {
    for (Index lane = 0; lane < 8; ++lane) sums[lane] += static_cast<double>(simd::abs(x[i + lane]));
  }
  for (Index lane = 0; i < n; ++i, ++lane) sums[lane] += static_cast<double>(simd::abs(x[i]));
  for (const double sum : sums) range.sum_abs += sum;
}

}  // namespace halfstep::inline HALFSTEP_ABI
