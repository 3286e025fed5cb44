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

/// P, from the factor of H (rows in reverse order), T and D of it, and D (columns of dead channels count as 0).
///
/// U = D_H^(-1/2) T^-1, so P is found by two triangular solves, D U^T in double and the product with U in float.
/// size^3 operations for the first and a third of that for the second. Class: bounded, bit-equal for any executor.
[[nodiscard]] inline PackedColumns<float> target_shift(const LowerFactor<double>& factor, const ErrorFeedback& feedback,
                                                       const Curvature& h, const InputDifference& difference,
                                                       std::span<const Index> order, double alpha,
                                                       ExecutorRef executor) {
  const Index size = factor.size(), block = feedback.weights.block();
  const PackedColumns<double> rows(
      size, block, ColumnExtent::above_diagonal,
      [&](Index q, Index columns, Index count, double* to) {
        for (Index p = 0; p < count; ++p) {
          for (Index i = 0; i < columns; ++i) {
            to[p * PackedColumns<double>::height + i] = p < q + i ? factor(q + i, p) : 0.0;
          }
        }
      },
      executor);
  const auto column = [&](Index position) { return order[static_cast<std::size_t>(position)]; };
  using Strips = RowStrips<double>;
  const Index strips = chunk_count(size, RowStrips<float>::width);
  RowStrips<float> result(strips, size);
  parallel_for(executor, strips, 1, [&](Index first, Index last) {
    for (Index s = first; s < last; ++s) {
      // Rows of D and of what follows are positions; in a strip of doubles columns go by reverse position.
      constexpr Index halves = RowStrips<float>::width / Strips::width;
      Strips solved(halves, size);
      const Index row = s * RowStrips<float>::width, count = std::min(RowStrips<float>::width, size - row);
      for (Index r = 0; r < count; ++r) {
        for (Index q = 0; q < size; ++q) {
          const Index to = column(q);
          solved(r, size - 1 - q) = h.is_dead(to) ? 0.0 : alpha * h.scale() * difference(column(row + r), to);
        }
      }
      ColumnSweep<double> pass(halves);
      pass.add(rows, solved, solved);
      pass.run([&](Index half, Index i) {
        double* const x = solved.at(half, i);
        for (Index r = 0; r < Strips::width; ++r) x[r] = (x[r] - pass.sums(0, half, i)[r]) / factor(i, i);
      });
      RowStrips<float> right(1, size);
      for (Index q = 0; q < size; ++q) {
        const double root = factor(size - 1 - q, size - 1 - q);
        for (Index r = 0; r < count && row + r < q; ++r)
          right(r, q) = static_cast<float>(solved(r, size - 1 - q) / root);
      }
      ColumnSweep<float> forward(1);
      forward.add(feedback.weights, right, right);
      forward.run([&](Index, Index q) {
        for (Index r = 0; r < RowStrips<float>::width; ++r) right.at(0, q)[r] -= forward.sums(0, 0, q)[r];
      });
      std::copy_n(right.at(0, 0), size * RowStrips<float>::width, result.at(s, 0));
    }
  });
  return PackedColumns<float>(
      size, block, ColumnExtent::above_diagonal,
      [&](Index q, Index columns, Index count, float* to) {
        for (Index p = 0; p < count; ++p) {
          for (Index i = 0; i < columns; ++i) to[p * PackedColumns<float>::height + i] = result(p, q + i);
        }
      },
      executor);
}

}  // namespace halfstep::inline HALFSTEP_ABI
