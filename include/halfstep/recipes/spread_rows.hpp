#pragma once

/// \file
/// Some of the rows of calibration data, where all of them would take longer than they are worth.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

/// Every so manieth row of x, evenly spread: `count` of them or a few more, all where there are fewer or `count` is 0.
/// A view. Class: exact.
[[nodiscard]] inline MatrixView<const float> spread_rows(MatrixView<const float> x, Index count) {
  const Index step = count > 0 ? std::max<Index>(1, x.rows / count) : 1;
  return {x.data, x.rows / step, x.cols, step * x.row_stride, x.col_stride};
}

}  // namespace halfstep::inline HALFSTEP_ABI
