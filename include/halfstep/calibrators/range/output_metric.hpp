#pragma once

/// \file
/// How much an error of an output counts.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI {

/// How the error e of an output y counts. All are means over the elements of a granule's outputs; cosine over its rows.
/// Source: Yuan et al., PTQ4ViT, ECCV 2022, section 3.3, and its published program (as similarities, with minus signs).
enum class OutputMetric {
  squared,          ///< e^2 (L2)
  absolute,         ///< |e| (L1)
  linear_weighted,  ///< |y| e^2
  square_weighted,  ///< (y e)^2
  hessian,          ///< (g e)^2, g the gradient of the model's loss by y: its change to second order
  cosine,           ///< 1 - cos(y, y + e) for each row of the output, over the granule's columns; 1 where one is 0
};

/// The sum of `term(i)`, i < n, in sixteen interleaved sums.
template <class Term>
[[nodiscard]] double interleaved_sum(Index n, Term term) {
  constexpr Index width = 16;
  double sums[width] = {};
  Index i = 0;
  for (; i + width <= n; i += width) {
    for (Index j = 0; j < width; ++j) sums[j] += term(i + j);
  }
  for (; i < n; ++i) sums[0] += term(i);
  for (Index half = width / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

/// The sum of squares of n errors.
[[nodiscard]] inline double squared_loss(const float* error, Index n) {
  return interleaved_sum(n, [error](Index i) { return static_cast<double>(error[i]) * static_cast<double>(error[i]); });
}

/// The sum of squares of n errors times their factors.
[[nodiscard]] inline double weighted_loss(const float* error, const float* factor, Index n) {
  return interleaved_sum(n, [error, factor](Index i) {
    const double weighted = static_cast<double>(error[i]) * static_cast<double>(factor[i]);
    return weighted * weighted;
  });
}

/// The sum of n magnitudes.
[[nodiscard]] inline double absolute_loss(const float* error, Index n) {
  return interleaved_sum(n, [error](Index i) { return std::fabs(static_cast<double>(error[i])); });
}

/// Products that a cosine is made of: of an output y and what it becomes.
struct CosineSums {
  double dot = 0;          ///< sum of y (y + e)
  double norm = 0;         ///< sum of (y + e)^2
  double output_norm = 0;  ///< sum of y^2

  void add(float output, float error) {
    const double y = static_cast<double>(output), found = y + static_cast<double>(error);
    dot += y * found;
    norm += found * found;
    output_norm += y * y;
  }
  /// 1 - cos; 1 where one of both is 0.
  [[nodiscard]] double loss() const {
    const double length = std::sqrt(norm) * std::sqrt(output_norm);
    return length > 0 ? 1 - dot / length : 1;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
