#pragma once

/// \file
/// RMSNorm over the rows of a float matrix.
///
///     y_c = x_c / sqrt(mean(x^2) + epsilon) * gain_c
///
/// B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019. No mean is subtracted, so one pass
/// in float loses nothing: the squares have one sign.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI {

/// Normalizes `x[0 .. n)`, n at least 1, into `out`, which may be `x`; `gain` holds n floats. A row with a value that
/// is not finite, or so large that the sum of squares overflows, becomes NaN. Class: ordered.
inline void rms_norm_row(const float* x, Index n, const float* gain, float epsilon, float* out) {
  using simd::FloatBatch;
  const float squares = ordered_sum(n, [&](Index i, Index part) {
    const FloatBatch value = load_part(x + i, part);
    return simd::pinned(value * value);
  });
  // The last term is 0, or NaN where the squares are not finite.
  const float mean = squares / static_cast<float>(n) + simd::pinned(squares * 0.0f);
  const FloatBatch scale(1.0f / std::sqrt(mean + epsilon));
  for_each_part(n, [&](Index i, Index part) {
    store_part(out + i, simd::pinned(load_part(x + i, part) * scale) * load_part(gain + i, part), part);
  });
}

/// Normalizes each row of x `[rows, channels]` into `out` of the same shape, which may be the same memory. Rows must be
/// contiguous, `epsilon` positive. Errors: shapes that do not fit. Reads x once from memory. Class: ordered, for any
/// executor and number of rows.
inline void rms_norm(MatrixView<const float> x, VectorView gain, float epsilon, MatrixView<float> out,
                     ExecutorRef executor = {}) {
  require_readable("rms_norm", "x", x);
  if (gain.size != x.cols) raise("rms_norm", "gain has ", gain.size, " elements, x has ", x.cols, " columns");
  if (!(epsilon > 0)) raise("rms_norm", "epsilon is ", epsilon, ", expected a positive number");
  if (shape_of(out) != shape_of(x)) raise("rms_norm", "out has shape ", shape_of(out), ", expected ", shape_of(x));
  if (!x.rows_are_contiguous() || !out.rows_are_contiguous()) {
    raise("rms_norm", "the rows of x and out must be contiguous, column strides are ", x.col_stride, " and ",
          out.col_stride);
  }
  if (x.empty()) return;
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) rms_norm_row(x.row(r), x.cols, gain.data, epsilon, out.row(r));
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
