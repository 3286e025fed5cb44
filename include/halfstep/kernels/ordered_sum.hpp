#pragma once

/// \file
/// A float sum over a row whose order of additions is written down, so that its bits are the same on every machine.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace halfstep::inline HALFSTEP_ABI {

/// Running sums that a row is split over: as many as the widest register has lanes.
inline constexpr Index ordered_sum_lanes = 16;

/// The sum of n values: sum l takes the values l, l + 16, l + 32, ... in this order, then the 16 sums are added in a
/// tree (l and l + 8, l and l + 4, ...). `part(i, count)` gives the values i .. i + count - 1, `count` at most the
/// lanes of a batch, and zeros beyond them. A product among them must be pinned, or it becomes a fused multiply-add.
///
/// Error: below `(n / 16 + 4) * 2^-24` of the sum of magnitudes, to first order. Class: ordered.
template <class Part>
[[nodiscard]] float ordered_sum(Index n, Part part) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  constexpr auto batches = static_cast<std::size_t>(ordered_sum_lanes / lanes);
  std::array<simd::FloatBatch, batches> sums;
  sums.fill(simd::FloatBatch(0.0f));
  Index i = 0;
  for (; i + ordered_sum_lanes <= n; i += ordered_sum_lanes) {
    for (std::size_t b = 0; b < batches; ++b) sums[b] += part(i + static_cast<Index>(b) * lanes, lanes);
  }
  for (std::size_t b = 0; i < n; ++b, i += lanes) sums[b] += part(i, std::min(lanes, n - i));
  std::array<float, ordered_sum_lanes> lane;
  for (std::size_t b = 0; b < batches; ++b) simd::store(lane.data() + b * simd::batch_lanes, sums[b]);
  for (std::size_t width = lane.size() / 2; width > 0; width /= 2) {
    for (std::size_t l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return lane[0];
}

/// `count` floats from `x` on, zeros beyond: a whole register where `count` allows it.
[[nodiscard]] inline simd::FloatBatch load_part(const float* x, Index count) {
  if (count == static_cast<Index>(simd::batch_lanes)) return simd::load<simd::FloatBatch>(x);
  return simd::load_tail<simd::FloatBatch>(x, static_cast<std::size_t>(count));
}

/// `value` with zeros in all lanes but the first `count`.
[[nodiscard]] inline simd::FloatBatch keep_part(simd::FloatBatch value, Index count) {
  if (count == static_cast<Index>(simd::batch_lanes)) return value;
  std::array<float, simd::batch_lanes> lane{};
  simd::store_tail(lane.data(), value, static_cast<std::size_t>(count));
  return simd::load<simd::FloatBatch>(lane.data());
}

/// Writes the first `count` lanes of `value` from `x` on.
inline void store_part(float* x, simd::FloatBatch value, Index count) {
  if (count == static_cast<Index>(simd::batch_lanes)) return simd::store(x, value);
  simd::store_tail(x, value, static_cast<std::size_t>(count));
}

/// Calls `visit(i, count)` for the pieces of [0, n) that fill a register, and for the rest.
template <class Visit>
void for_each_part(Index n, Visit visit) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) visit(i, lanes);
  if (i < n) visit(i, n - i);
}

}  // namespace halfstep::inline HALFSTEP_ABI
