#pragma once

/// \file
/// The float products that the float path may use: Eigen's, and OpenBLAS's where it is installed.

#include <halfstep/core/matrix_view.hpp>
#include <halfstep/layers/eigen_product.hpp>
#include <halfstep/layers/float_product.hpp>

#include <string>
#include <vector>

#if defined(HALFSTEP_EXAMPLE_OPENBLAS)
#include <cblas.h>
#endif

namespace example_support {

struct FloatPath {
  std::string name;
  halfstep::FloatProduct product;
};

#if defined(HALFSTEP_EXAMPLE_OPENBLAS)
/// `out = lhs * rhs^T` by OpenBLAS on the calling thread.
inline void openblas_product(halfstep::MatrixView<const float> lhs, halfstep::MatrixView<const float> rhs,
                             halfstep::MatrixView<float> out) {
  const bool by_rows = rhs.rows_are_contiguous();
  if (!by_rows && rhs.row_stride != 1) return halfstep::eigen_product(lhs, rhs, out);
  if (out.size() == 0 || lhs.cols == 0) return halfstep::eigen_product(lhs, rhs, out);
  const auto size = [](halfstep::Index n) { return static_cast<int>(n > 0 ? n : 1); };
  cblas_sgemm(CblasRowMajor, CblasNoTrans, by_rows ? CblasTrans : CblasNoTrans, size(lhs.rows), size(rhs.rows),
              size(lhs.cols), 1.0f, lhs.data, size(lhs.row_stride), rhs.data,
              size(by_rows ? rhs.row_stride : rhs.col_stride), 0.0f, out.data, size(out.row_stride));
}
#endif

/// All of them, each on one thread: the engine brings its own.
inline std::vector<FloatPath> float_paths() {
  std::vector<FloatPath> paths{{"Eigen", halfstep::eigen_product}};
#if defined(HALFSTEP_EXAMPLE_OPENBLAS)
  openblas_set_num_threads(1);
  paths.push_back({std::string("OpenBLAS (") + openblas_get_corename() + ")", openblas_product});
#endif
  return paths;
}

}  // namespace example_support
