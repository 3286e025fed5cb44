#pragma once

/// \file
/// The largest magnitude of each channel: of the activations that flow through it, and of the weights that read it.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/core/vector_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `max(|min|, |max|)` of each range: from what `MinMax` has seen per column, over any number of batches. Class: exact.
[[nodiscard]] inline std::vector<float> channel_absmax(const std::vector<Range>& ranges) {
  std::vector<float> maxima;
  maxima.reserve(ranges.size());
  for (const Range& range : ranges) maxima.push_back(absmax(range));
  return maxima;
}

/// The largest |x| in each channel of `x` `[tokens, channels]`. Errors: no tokens; an element that is not finite, by
/// position. Class: exact, for any executor.
template <Viewable M>
[[nodiscard]] std::vector<float> channel_absmax(const M& x, ExecutorRef executor = {}) {
  MinMax seen(per_column());
  seen.observe(x, executor);
  return channel_absmax(seen.ranges());
}

/// Refuses, in the name of the call `where`, weights that do not all have `channels` inputs, and an empty list.
inline void require_weights(std::string_view where, const std::vector<AnyMatrixView>& weights, Index channels) {
  if (weights.empty()) raise(where, "weights is empty, expected the weights that read the activations");
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i].cols() == channels) continue;
    raise(where, "weight ", i, " has ", weights[i].cols(), " columns, expected ", channels, " (channels)");
  }
}

/// Refuses largest magnitudes that are negative or not finite.
inline void require_maxima(std::string_view where, std::string_view argument, VectorView maxima) {
  for (Index c = 0; c < maxima.size; ++c) {
    if (is_finite_bits(maxima[c]) && maxima[c] >= 0) continue;
    raise(where, argument, " of channel ", c, " is ", maxima[c], ", expected a finite number of at least 0");
  }
}

/// The largest |w| in each column over all rows of all `weights` `[out_features, channels]`; 0 where there are no rows.
/// Errors, in the name of the call `where`: those of `require_weights`; an element that is not finite, by position.
/// Reads each weight once. Class: exact, for any executor.
[[nodiscard]] inline std::vector<float> column_absmax(std::string_view where, const std::vector<AnyMatrixView>& weights,
                                                      Index channels, ExecutorRef executor = {}) {
  require_weights(where, weights, channels);
  constexpr Index chunk_rows = 64;
  std::vector<float> maxima(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const AnyMatrixView& w = weights[i];
    const std::string name = concat("weight ", i);
    std::vector<std::vector<float>> parts(static_cast<std::size_t>(chunk_count(w.rows(), chunk_rows)));
    parallel_chunks(executor, w.rows(), chunk_rows, [&](Index chunk, Index begin, Index end) {
      std::vector<float> part(maxima.size()), scratch(maxima.size());
      for (Index r = begin; r < end; ++r) {
        const float* const row = w.row(r, scratch.data());
        require_finite_row(where, name, row, r, channels);
        for (std::size_t c = 0; c < part.size(); ++c) part[c] = std::max(part[c], std::fabs(row[c]));
      }
      parts[static_cast<std::size_t>(chunk)] = std::move(part);
    });
    for (const std::vector<float>& part : parts) {
      for (std::size_t c = 0; c < part.size(); ++c) maxima[c] = std::max(maxima[c], part[c]);
    }
  }
  return maxima;
}

}  // namespace halfstep::inline HALFSTEP_ABI
