#pragma once

/// \file
/// How the rounding error of one column of a weight is answered by the columns after it.
///
/// With the columns in the order in which they are rounded, H + lambda I = T D T^T, T unit upper triangular and D
/// diagonal. What column q aims at is `w_q + sum_{p < q} (w_p - v_p) T_pq`, v being the values already settled: the
/// columns that are still free then add least to the loss. It is GPTQ's update, arranged so that nothing is inverted:
/// its U (U^T U = (H + lambda I)^-1) is D^(-1/2) T^-1, and its error e_q / U_qq is `r_q D_q^(1/2)` with r_q = aim -
/// v_q, so that the loss is `sum e^2 / 2 = sum_q r_q^2 D_q / 2`, which is (w - v) (H + lambda I) (w - v)^T / 2.
///
/// Sources: Frantar et al., GPTQ, ICLR 2023; the equal form with L D L^T is that of Chee et al., QuIP, NeurIPS 2023.

#include "halfstep/calibrators/rounding/lower_factor.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// T above its diagonal, as floats, and D; of a factor whose rows are the columns in reverse order.
struct ErrorFeedback {
  PackedColumns<float> weights;
  std::vector<double> pivots;

  ErrorFeedback(const LowerFactor<double>& factor, Index block, ExecutorRef executor) {
    const Index last = factor.size() - 1;
    std::vector<double> inverse_root;
    for (Index q = 0; q <= last; ++q) {
      const double root = factor(last - q, last - q);
      pivots.push_back(root * root);
      inverse_root.push_back(1 / root);
    }
    const auto read = [&](Index q, Index columns, Index rows, float* to) {
      constexpr Index width = LowerFactor<double>::width, height = PackedColumns<float>::height;
      for (Index p = 0; p < rows; ++p) {
        const Index i = last - p;
        const double* const from = factor.strip(i / width) + (last - q) * width + i % width;
        for (Index h = 0; h < columns; ++h) {
          const double value = p < q + h ? from[-h * width] : 0.0;  // what lies beyond may be of another panel
          to[p * height + h] = static_cast<float>(value * inverse_root[static_cast<std::size_t>(q + h)]);
        }
      }
    };
    weights = PackedColumns<float>(factor.size(), block, ColumnExtent::above_diagonal, read, executor);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
