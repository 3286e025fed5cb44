#pragma once

/// \file
/// The dense products in double that fold the outputs of searches: rows of one matrix times rows of another.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// `out = a * b^T`, a `[m, k]`, b `[n, k]`, out `[m, n]`, rows of all contiguous. (Floats: `dense_product`.) A
/// template, so that only those who call it compile Eigen's product. Class: bounded; for one build it depends on
/// nothing but the values and the shapes.
template <class T>
void multiply_rows(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> out) {
  using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Stride = Eigen::OuterStride<>;
  using ConstMap = Eigen::Map<const RowMajor, Eigen::Unaligned, Stride>;
  Eigen::Map<RowMajor, Eigen::Unaligned, Stride>(out.data, out.rows, out.cols, Stride(out.row_stride)).noalias() =
      ConstMap(a.data, a.rows, a.cols, Stride(a.row_stride)) *
      ConstMap(b.data, b.rows, b.cols, Stride(b.row_stride)).transpose();
}

/// The same in blocks of 128 rows of a. Class: bounded, for any executor.
template <class T>
void multiply_rows(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> out, ExecutorRef executor) {
  parallel_chunks(executor, a.rows, 128, [&](Index, Index begin, Index end) {
    multiply_rows(a.row_range(begin, end - begin), b, out.row_range(begin, end - begin));
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
