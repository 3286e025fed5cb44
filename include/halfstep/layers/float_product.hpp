#pragma once

/// \file
/// The float matrix product that engines are given: the library's own layers never name one.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/kernels/ordered_sum.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// `out = lhs * rhs^T`, lhs `[m, k]` and out `[m, n]` with contiguous rows, rhs `[n, k]` strided either way. Runs on
/// the calling thread and may be called from several at a time. A function (`eigen_product`, a wrapper around sgemm),
/// or a callable that outlives what holds it.
using FloatProduct = FunctionRef<void(MatrixView<const float> lhs, MatrixView<const float> rhs, MatrixView<float> out)>;

/// The product as three loops, summed in double and rounded once: for tests, and for programs that want no other.
/// Class: ordered (a product of two floats is exact in double, so fusing it into the sum changes nothing).
inline void plain_product(MatrixView<const float> lhs, MatrixView<const float> rhs, MatrixView<float> out) {
  for (Index m = 0; m < out.rows; ++m) {
    for (Index n = 0; n < out.cols; ++n) {
      double sum = 0;
      for (Index k = 0; k < lhs.cols; ++k) sum += static_cast<double>(lhs(m, k)) * static_cast<double>(rhs(n, k));
      out(m, n) = static_cast<float>(sum);
    }
  }
}

/// `out = epilogue(out + bias)`, bias one value per column or empty; rows contiguous. Class: ordered.
inline void apply_bias_and_epilogue(MatrixView<float> out, VectorView bias, Epilogue epilogue) {
  for (Index m = 0; m < out.rows; ++m) {
    float* row = out.row(m);
    for_each_part(out.cols, [&](Index n, Index part) {
      simd::FloatBatch y = load_part(row + n, part);
      if (!bias.empty()) y = y + load_part(bias.data + n, part);
      store_part(row + n, apply_epilogue(epilogue.kind(), y), part);
    });
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
