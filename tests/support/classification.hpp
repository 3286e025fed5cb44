#pragma once

/// \file
/// What tests measure of a classifier's logits, as plain loops in double.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "halfstep/core/matrix_view.hpp"

namespace halfstep_tests {

/// Percent of rows whose largest logit is the label's.
inline double top1_percent(halfstep::MatrixView<const float> logits, std::span<const std::int32_t> labels) {
  double right = 0;
  for (halfstep::Index i = 0; i < logits.rows; ++i) {
    const float* row = logits.row(i);
    right += std::max_element(row, row + logits.cols) - row == labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return 100 * right / static_cast<double>(logits.rows);
}

/// log(softmax) of row i.
inline std::vector<double> log_softmax(halfstep::MatrixView<const float> logits, halfstep::Index i) {
  std::vector<double> row;
  for (halfstep::Index c = 0; c < logits.cols; ++c) row.push_back(static_cast<double>(logits(i, c)));
  const double largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const double value : row) sum += std::exp(value - largest);
  for (double& value : row) value -= largest + std::log(sum);
  return row;
}

/// KL(reference || other) of the softmax of the logits, mean over rows, in nats.
inline double mean_kl(halfstep::MatrixView<const float> reference, halfstep::MatrixView<const float> other) {
  double sum = 0;
  for (halfstep::Index i = 0; i < reference.rows; ++i) {
    const std::vector<double> p = log_softmax(reference, i), q = log_softmax(other, i);
    for (std::size_t c = 0; c < p.size(); ++c) sum += std::exp(p[c]) * (p[c] - q[c]);
  }
  return sum / static_cast<double>(reference.rows);
}

/// Root of the mean square of a - b.
inline double rms_difference(halfstep::MatrixView<const float> a, halfstep::MatrixView<const float> b) {
  double sum = 0;
  for (halfstep::Index r = 0; r < a.rows; ++r) {
    for (halfstep::Index c = 0; c < a.cols; ++c) {
      sum += std::pow(static_cast<double>(a(r, c)) - static_cast<double>(b(r, c)), 2);
    }
  }
  return std::sqrt(sum / static_cast<double>(a.rows * a.cols));
}

}  // namespace halfstep_tests
