#pragma once

/// \file
/// How far an approximation is from what it stands for.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Error statistics of pairs (reference, approximation). Mergeable: counts and extrema exactly, sums in double in the
/// order in which they are shown or merged. A pair with a value that is not finite is counted apart and enters no sum.
class ErrorStats {
 public:
  /// Adds one pair, at `position` of the matrix it comes from.
  void observe(float reference, float approximation, Position position = {}) {
    if (!is_finite_bits(reference) || !is_finite_bits(approximation)) {
      ++non_finite_;
      return;
    }
    const double exact = static_cast<double>(reference);
    const double error = static_cast<double>(approximation) - exact;
    ++count_;
    sum_error_ += error;
    // Fused by hand: a compiler that may contract would do so on some instruction sets only. The square of the signal
    // is exact in double, so there is nothing to round between product and sum.
    sum_squared_error_ = std::fma(error, error, sum_squared_error_);
    sum_squared_signal_ += exact * exact;
    rounded_to_zero_ += reference != 0 && approximation == 0 ? 1 : 0;
    sign_flips_ += (reference > 0 && approximation < 0) || (reference < 0 && approximation > 0) ? 1 : 0;
    if (std::fabs(error) > max_abs_error_) {
      max_abs_error_ = std::fabs(error);
      worst_ = position;
    }
  }

  /// Adds what another has seen. Of two equal largest errors the one seen here stays the worst.
  void merge(const ErrorStats& other) {
    count_ += other.count_;
    non_finite_ += other.non_finite_;
    rounded_to_zero_ += other.rounded_to_zero_;
    sign_flips_ += other.sign_flips_;
    sum_error_ += other.sum_error_;
    sum_squared_error_ += other.sum_squared_error_;
    sum_squared_signal_ += other.sum_squared_signal_;
    if (other.max_abs_error_ > max_abs_error_) {
      max_abs_error_ = other.max_abs_error_;
      worst_ = other.worst_;
    }
  }

  /// Pairs of finite values seen.
  [[nodiscard]] Index count() const { return count_; }
  /// Pairs left out because a value was NaN or infinite.
  [[nodiscard]] Index non_finite() const { return non_finite_; }
  /// References other than 0 whose approximation is 0.
  [[nodiscard]] Index rounded_to_zero() const { return rounded_to_zero_; }
  /// Pairs of opposite signs.
  [[nodiscard]] Index sign_flips() const { return sign_flips_; }
  /// Mean of the error, sign kept; 0 if nothing was seen.
  [[nodiscard]] double mean_error() const { return mean(sum_error_); }
  /// Mean squared error; 0 if nothing was seen.
  [[nodiscard]] double mse() const { return mean(sum_squared_error_); }
  [[nodiscard]] double max_abs_error() const { return max_abs_error_; }
  /// Where the largest error is.
  [[nodiscard]] Position worst() const { return worst_; }
  /// Signal power over error power in dB: infinite where there is no error, -infinite for an error without a signal.
  [[nodiscard]] double sqnr_db() const {
    if (sum_squared_error_ == 0) return std::numeric_limits<double>::infinity();
    return 10 * std::log10(sum_squared_signal_ / sum_squared_error_);
  }

 private:
  [[nodiscard]] double mean(double sum) const { return count_ == 0 ? 0.0 : sum / static_cast<double>(count_); }

  Index count_ = 0;
  Index non_finite_ = 0;
  Index rounded_to_zero_ = 0;
  Index sign_flips_ = 0;
  double sum_error_ = 0;
  double sum_squared_error_ = 0;
  double sum_squared_signal_ = 0;
  double max_abs_error_ = 0;
  Position worst_;
};

/// Calls `visit(row, reference, approximation)` with the floats of each pair of rows. Shapes must agree.
template <Viewable A, Viewable B, class Visit>
void for_each_row_pair(std::string_view where, const A& reference, const B& approximation, Visit visit) {
  const auto a = view(reference);
  const auto b = view(approximation);
  if (shape_of(a) != shape_of(b)) {
    raise(where, "approximation has shape ", shape_of(b), ", reference has ", shape_of(a));
  }
  std::vector<float> scratch_a(static_cast<std::size_t>(a.cols)), scratch_b(static_cast<std::size_t>(b.cols));
  for (Index r = 0; r < a.rows; ++r)
    visit(r, read_row(a, r, scratch_a.data()), read_row(b, r, scratch_b.data()), a.cols);
}

/// Error statistics of two matrices of one shape, row by row. Class: ordered.
template <Viewable A, Viewable B>
[[nodiscard]] ErrorStats compare(const A& reference, const B& approximation) {
  ErrorStats stats;
  for_each_row_pair("compare", reference, approximation, [&](Index r, const float* a, const float* b, Index cols) {
    for (Index c = 0; c < cols; ++c) stats.observe(a[c], b[c], {r, c});
  });
  return stats;
}

/// A row and its error.
struct RowError {
  Index row = 0;
  ErrorStats stats;
};

/// The `count` worst rows, worst first: by the number of values that are not finite, then by mean squared error of the
/// others; of equal ones the earlier first. Class: ordered.
template <Viewable A, Viewable B>
[[nodiscard]] std::vector<RowError> worst_rows(const A& reference, const B& approximation, Index count) {
  std::vector<RowError> rows;
  for_each_row_pair("worst_rows", reference, approximation, [&](Index r, const float* a, const float* b, Index cols) {
    rows.push_back({r, {}});
    for (Index c = 0; c < cols; ++c) rows.back().stats.observe(a[c], b[c], {r, c});
  });
  std::stable_sort(rows.begin(), rows.end(), [](const RowError& a, const RowError& b) {
    if (a.stats.non_finite() != b.stats.non_finite()) return a.stats.non_finite() > b.stats.non_finite();
    return a.stats.mse() > b.stats.mse();
  });
  rows.resize(static_cast<std::size_t>(std::clamp<Index>(count, 0, static_cast<Index>(rows.size()))));
  return rows;
}

}  // namespace halfstep::inline HALFSTEP_ABI
