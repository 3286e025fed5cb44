#pragma once

/// \file
/// The mean of each channel over calibration batches.

#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What is averaged.
enum class MeanOf { values, magnitudes };

/// Adds the rows of `batch` to `sums`, chunk of 64 rows after chunk.
inline void add_channel_sums(std::string_view where, std::string_view argument, const AnyMatrixView& batch, MeanOf what,
                             ExecutorRef executor, std::vector<double>& sums) {
  constexpr Index chunk_rows = 64;
  std::vector<std::vector<double>> parts(static_cast<std::size_t>(chunk_count(batch.rows(), chunk_rows)));
  parallel_chunks(executor, batch.rows(), chunk_rows, [&](Index chunk, Index begin, Index end) {
    std::vector<double> part(sums.size());
    std::vector<float> scratch(sums.size());
    for (Index r = begin; r < end; ++r) {
      const float* const row = batch.row(r, scratch.data());
      require_finite_row(where, argument, row, r, batch.cols());
      if (what == MeanOf::values) {
        for (std::size_t c = 0; c < part.size(); ++c) part[c] += static_cast<double>(row[c]);
      } else {
        for (std::size_t c = 0; c < part.size(); ++c) part[c] += std::fabs(static_cast<double>(row[c]));
      }
    }
    parts[static_cast<std::size_t>(chunk)] = std::move(part);
  });
  for (const std::vector<double>& part : parts) {
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += part[c];
  }
}

/// The mean of each channel (or of its magnitudes) over all rows of all `batches` `[tokens, channels]`, rounded to
/// float. Sums are double, over chunks of 64 rows of a batch, in the order of the batches.
///
/// Errors, in the name of the call `where`: no tokens in all; batches of different numbers of channels; an element that
/// is not finite, by row and column. Class: ordered, for any executor.
[[nodiscard]] inline std::vector<float> channel_means(std::string_view where, const std::vector<AnyMatrixView>& batches,
                                                      ExecutorRef executor = {}, MeanOf what = MeanOf::values) {
  Index tokens = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    tokens += batches[i].rows();
    if (batches[i].cols() == batches[0].cols()) continue;
    raise(where, "batch ", i, " has ", batches[i].cols(), " columns, expected ", batches[0].cols(), " as before");
  }
  if (tokens == 0) raise(where, "there are no tokens in the calibration batches");
  std::vector<double> sums(static_cast<std::size_t>(batches[0].cols()));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    add_channel_sums(where, concat("batch ", i), batches[i], what, executor, sums);
  }
  std::vector<float> means;
  means.reserve(sums.size());
  for (const double sum : sums) means.push_back(static_cast<float>(sum / static_cast<double>(tokens)));
  return means;
}

}  // namespace halfstep::inline HALFSTEP_ABI
