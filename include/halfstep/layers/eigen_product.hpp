#pragma once

/// \file
/// Eigen's float product, the default of float engines. The only header of this floor that instantiates it (seconds of
/// compile time), so include it where an engine is made, not where one is used.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// `out = lhs * rhs^T`, lhs `[m, k]`, rhs `[n, k]`, out `[m, n]`; rows of lhs and out contiguous, rhs strided either
/// way (both ways: it is copied first). Allocates Eigen's own blocks. Class: bounded; for one build it depends on
/// nothing but the values and the shapes.
inline void eigen_product(MatrixView<const float> lhs, MatrixView<const float> rhs, MatrixView<float> out) {
  using RowMajorMap = Eigen::Map<const MatrixF, Eigen::Unaligned, Eigen::OuterStride<>>;
  using ColMajorMap = Eigen::Map<const Eigen::MatrixXf, Eigen::Unaligned, Eigen::OuterStride<>>;
  const RowMajorMap a(lhs.data, lhs.rows, lhs.cols, Eigen::OuterStride<>(lhs.row_stride));
  Eigen::Map<MatrixF, Eigen::Unaligned, Eigen::OuterStride<>> c(out.data, out.rows, out.cols,
                                                                Eigen::OuterStride<>(out.row_stride));
  if (rhs.rows_are_contiguous()) {
    const ColMajorMap b(rhs.data, rhs.cols, rhs.rows, Eigen::OuterStride<>(rhs.row_stride));
    c.noalias() = a * b;
  } else if (rhs.row_stride == 1) {
    const RowMajorMap b(rhs.data, rhs.cols, rhs.rows, Eigen::OuterStride<>(rhs.col_stride));
    c.noalias() = a * b;
  } else {
    const MatrixF copy = as_eigen(rhs);
    eigen_product(lhs, view(copy), out);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
