#pragma once

/// \file
/// A scan over candidates by the squared error of a product, summed over the rows of an operand.

#include "halfstep/calibrators/range/product_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/progress.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Counts candidates for a search's progress callback, and remembers that it was told to stop.
class SearchMeter {
 public:
  SearchMeter(ProgressCallback progress, Index total) : progress_(progress), total_(total) {}

  /// After `count` more candidates. Returns whether to go on.
  bool advance(Index count) {
    done_ += count;
    if (progress_ && !progress_({done_, total_}) && done_ < total_) is_stopped_ = true;
    return !is_stopped_;
  }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

 private:
  ProgressCallback progress_;
  Index total_;
  Index done_ = 0;
  bool is_stopped_ = false;
};

/// Fills row i of `changes` `[n, K]` with what candidate `first + i` does to the row `x` `[K]` of an operand, for all
/// i.
using RowChanges = FunctionRef<void(const float* x, Index first, MatrixD& changes)>;

/// The errors of candidates `first` to `first + count - 1`, summed over the rows of `operand` `[n, K]`, which is finite
/// and contiguous: over chunks of 32 rows, in their order. Class: bounded; the same bits for any executor.
[[nodiscard]] inline std::vector<double> summed_errors(const ProductError& error,
                                                       const MatrixView<const float>& operand, Index first, Index count,
                                                       ExecutorRef executor, RowChanges fill) {
  constexpr Index rows_at_once = 32;
  std::vector<std::vector<double>> parts(static_cast<std::size_t>(chunk_count(operand.rows, rows_at_once)));
  parallel_chunks(executor, operand.rows, rows_at_once, [&](Index chunk, Index begin, Index end) {
    std::vector<double>& sums = parts[static_cast<std::size_t>(chunk)];
    sums.assign(static_cast<std::size_t>(count), 0.0);
    std::vector<double> errors(sums.size());
    MatrixD changes(count, operand.cols);
    for (Index r = begin; r < end; ++r) {
      fill(operand.row(r), first, changes);
      error(operand.row(r), changes, errors.data());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += errors[i];
    }
  });
  std::vector<double> sums(static_cast<std::size_t>(count), 0.0);
  for (const std::vector<double>& part : parts) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];
  }
  return sums;
}

/// The best of the candidates that a scan has tried.
struct LeastError {
  Index candidate = -1;  ///< -1: none was tried
  double error = std::numeric_limits<double>::infinity();
};

/// Tries candidates 0 to `count - 1`, the first of equals wins; `visit(candidate, error)` sees each. Stops where
/// `meter` says so, after whole batches of 64.
[[nodiscard]] inline LeastError least_error(const ProductError& error, const MatrixView<const float>& operand,
                                            Index count, ExecutorRef executor, SearchMeter& meter, RowChanges fill,
                                            FunctionRef<void(Index candidate, double error)> visit = {}) {
  constexpr Index batch = 64;
  LeastError best;
  for (Index first = 0; first < count && !meter.is_stopped(); first += batch) {
    const Index size = std::min(batch, count - first);
    const std::vector<double> errors = summed_errors(error, operand, first, size, executor, fill);
    for (Index i = 0; i < size; ++i) {
      const double e = errors[static_cast<std::size_t>(i)];
      if (visit) visit(first + i, e);
      if (best.candidate < 0 || e < best.error) best = {first + i, e};
    }
    meter.advance(size);
  }
  return best;
}

}  // namespace halfstep::inline HALFSTEP_ABI
