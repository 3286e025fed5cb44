#pragma once

/// \file
/// What GPTAQ adds to GPTQ: targets that follow the float model's inputs.
///
/// With `D = sum (f - x) x^T` (`InputDifference`) in the order of rounding, `P = alpha triu(D U^T, 1) U`, U being
/// GPTQ's factor, and the target of column q is `w_q + sum_{p < q} y_p P_pq`: y_p is the aim of column p for q of the
/// same block (what it stood for when it was rounded), and its rounded value for q of later blocks. Both are published
/// behaviour, so results depend on the block. Source: Li et al., GPTAQ, 2025, and its published program.

#include "halfstep/calibrators/rounding/column_sweep.hpp"
#include "halfstep/calibrators/rounding/curvature.hpp"
#include "halfstep/calibrators/rounding/error_feedback.hpp"
#include "halfstep/calibrators/rounding/input_difference.hpp"
#include "halfstep/calibrators/rounding/lower_factor.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// Finds P, a few rows at a time. U = D_H^(-1/2) T^-1, so that is two triangular solves: D U^T in double, with the
/// factor of H, whose rows are the columns in reverse order, and the product with U in float, with T.
class TargetShift {
 public:
  static constexpr Index width = RowStrips<float>::width;

  TargetShift(const LowerFactor<double>& factor, const ErrorFeedback& feedback, const Curvature& h,
              const InputDifference& difference, std::span<const Index> order, double alpha, ExecutorRef executor)
      : factor_(factor), feedback_(feedback), h_(h), difference_(difference), order_(order), alpha_(alpha) {
    const auto read = [&](Index q, Index columns, Index count, double* to) {
      for (Index p = 0; p < count; ++p) {
        for (Index i = 0; i < columns; ++i) {
          to[p * PackedColumns<double>::height + i] = p < q + i ? factor(q + i, p) : 0.0;
        }
      }
    };
    rows_ =
        PackedColumns<double>(factor.size(), feedback.weights.block(), ColumnExtent::above_diagonal, read, executor);
  }

  /// Rows `[row, row + width)` of P.
  [[nodiscard]] RowStrips<float> strip(Index row) const {
    const Index size = factor_.size(), count = std::min(width, size - row);
    RowStrips<double> solved = difference_rows(row, count);
    ColumnSweep<double> backward(solved.strips());
    backward.add(rows_, solved, solved);
    backward.run([&](Index half, Index i) {
      double* const x = solved.at(half, i);
      for (Index r = 0; r < RowStrips<double>::width; ++r) x[r] = (x[r] - backward.sums(0, half, i)[r]) / factor_(i, i);
    });
    RowStrips<float> result(1, size);
    for (Index q = 0; q < size; ++q) {
      const Index i = size - 1 - q;
      for (Index r = 0; r < count && row + r < q; ++r) result(r, q) = static_cast<float>(solved(r, i) / factor_(i, i));
    }
    ColumnSweep<float> forward(1);
    forward.add(feedback_.weights, result, result);
    forward.run([&](Index, Index q) {
      for (Index r = 0; r < width; ++r) result.at(0, q)[r] -= forward.sums(0, 0, q)[r];
    });
    return result;
  }

 private:
  /// Rows of alpha D, their columns in reverse order, those of dead channels 0.
  [[nodiscard]] RowStrips<double> difference_rows(Index row, Index count) const {
    const Index size = factor_.size();
    RowStrips<double> result(width / RowStrips<double>::width, size);
    for (Index i = 0; i < size; ++i) {
      const Index to = order_[static_cast<std::size_t>(size - 1 - i)];
      if (h_.is_dead(to)) continue;
      for (Index r = 0; r < count; ++r) {
        result(r, i) = alpha_ * h_.scale() * difference_(order_[static_cast<std::size_t>(row + r)], to);
      }
    }
    return result;
  }

  const LowerFactor<double>& factor_;
  const ErrorFeedback& feedback_;
  const Curvature& h_;
  const InputDifference& difference_;
  std::span<const Index> order_;
  double alpha_;
  PackedColumns<double> rows_;  // of the factor, as columns
};

/// P, from the factor of H (rows in reverse order), T and D of it, and the difference of inputs. size^3 operations in
/// double and a third of that in float. Class: bounded, bit-equal for any executor.
[[nodiscard]] inline PackedColumns<float> target_shift(const LowerFactor<double>& factor, const ErrorFeedback& feedback,
                                                       const Curvature& h, const InputDifference& difference,
                                                       std::span<const Index> order, double alpha,
                                                       ExecutorRef executor) {
  const Index size = factor.size(), strips = chunk_count(size, TargetShift::width);
  const TargetShift shift(factor, feedback, h, difference, order, alpha, executor);
  RowStrips<float> rows(strips, size);
  parallel_for(executor, strips, 1, [&](Index first, Index last) {
    for (Index s = first; s < last; ++s) {
      const RowStrips<float> strip = shift.strip(s * TargetShift::width);
      std::copy_n(strip.at(0, 0), size * TargetShift::width, rows.at(s, 0));
    }
  });
  const auto read = [&](Index q, Index columns, Index count, float* to) {
    for (Index p = 0; p < count; ++p) {
      for (Index i = 0; i < columns; ++i) to[p * PackedColumns<float>::height + i] = rows(p, q + i);
    }
  };
  return PackedColumns<float>(size, feedback.weights.block(), ColumnExtent::above_diagonal, read, executor);
}

}  // namespace halfstep::inline HALFSTEP_ABI
