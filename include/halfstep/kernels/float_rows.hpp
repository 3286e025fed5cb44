#pragma once

/// \file
/// Activations that are kept in float, as the float tile reads them.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/product_rows.hpp"

#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// `rows` rows of floats, contiguous along K, columns in the order of a weight.
struct FloatRows {
  const float* data = nullptr;
  Index rows = 0;
  Index row_stride = 0;

  [[nodiscard]] const float* row(Index m) const { return data + m * row_stride; }
};

/// The rows [begin, begin + count) of `x`.
[[nodiscard]] inline FloatRows rows_from(const FloatRows& x, Index begin, Index count) {
  return {x.row(begin), count, x.row_stride};
}

/// x as the tile reads it for `w`: in place where it is float, contiguous along K and in order, else copied to memory
/// of `workspace`. Class: exact.
template <class T>
[[nodiscard]] FloatRows float_rows_for(const MatrixView<const T>& x, const PackedMatrix& w, Workspace& workspace,
                                       ExecutorRef executor) {
  const bool in_order = w.input_order().empty();
  if constexpr (std::is_same_v<T, float>) {
    if (in_order && x.rows_are_contiguous()) return {x.data, x.rows, x.row_stride};
  }
  const Index workers = executor.concurrency();
  float* const copy = workspace.take<float>(x.rows * x.cols).data();
  float* const scratch = workspace.take<float>(workers * x.cols).data();
  for_row_bands(executor, x.rows, x.cols, workers, [&](Index worker, Index begin, Index end) {
    for (Index m = begin; m < end; ++m) {
      float* const to = copy + m * x.cols;
      if (in_order) {
        copy_row(x, m, to);
        continue;
      }
      const float* const from = read_row(x, m, scratch + worker * x.cols);
      for (Index k = 0; k < x.cols; ++k) to[k] = from[w.channel(k)];
    }
  });
  return {copy, x.rows, x.cols};
}

}  // namespace halfstep::inline HALFSTEP_ABI
