#pragma once

/// \file
/// How much of a tensor is outliers: the two numbers by which outlier-free transformers are judged.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Tail weight and largest magnitude of some values.
struct OutlierStatistics {
  double kurtosis = 0;  ///< `mean((x - m)^4) / mean((x - m)^2)^2`, m the mean: 3 for normal values; 0 for a constant
  float largest = 0;    ///< the largest |x|
};

/// The outlier statistics of all elements of `matrix` `[tokens, channels]`. Two passes in double, row by row. An
/// element that is not finite is refused by position, and so is a matrix without elements. Class: ordered.
///
/// Source: Bondarenko, Nagel and Blankevoort, "Quantizable Transformers", NeurIPS 2023, section 5: kurtosis and maximum
/// infinity norm of the attention layers' outputs, averaged over them.
template <Viewable M>
[[nodiscard]] OutlierStatistics outlier_statistics(const M& matrix) {
  const auto source = view(matrix);
  require_readable("outlier_statistics", "matrix", source);
  if (source.empty()) raise("outlier_statistics", "matrix has shape ", shape_of(source), ", expected elements");
  std::vector<float> scratch(static_cast<std::size_t>(source.cols));
  OutlierStatistics seen;
  double sum = 0;
  for (Index r = 0; r < source.rows; ++r) {
    const float* row = read_row(source, r, scratch.data());
    require_finite_row("outlier_statistics", "matrix", row, r, source.cols);
    for (Index c = 0; c < source.cols; ++c) {
      const float magnitude = row[c] < 0 ? -row[c] : row[c];
      seen.largest = magnitude > seen.largest ? magnitude : seen.largest;
      sum += static_cast<double>(row[c]);
    }
  }
  const auto count = static_cast<double>(source.size());
  const double mean = sum / count;
  double second = 0, fourth = 0;
  for (Index r = 0; r < source.rows; ++r) {
    const float* row = read_row(source, r, scratch.data());
    for (Index c = 0; c < source.cols; ++c) {
      const double deviation = static_cast<double>(row[c]) - mean;
      const double square = simd::pinned(deviation * deviation);
      second += square;
      fourth += simd::pinned(square * square);
    }
  }
  if (second > 0) seen.kurtosis = fourth / count / (second / count * (second / count));
  return seen;
}

}  // namespace halfstep::inline HALFSTEP_ABI
