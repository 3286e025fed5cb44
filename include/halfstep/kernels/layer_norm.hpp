#pragma once

/// \file
/// LayerNorm over the rows of a float matrix.
///
///     y_c = (x_c - mean) / sqrt(variance + epsilon) * gain_c + bias_c        variance over n, not n - 1
///
/// Two passes in float. The rounding of the first mean is measured in the second pass, as the sum of the deviations,
/// and taken out of both the mean and the variance (Chan, Golub and LeVeque, "Algorithms for Computing the Sample
/// Variance", 1983, the corrected two-pass algorithm), so that rows whose mean is far from 0 lose nothing.

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

/// Normalizes `x[0 .. n)`, n at least 1, into `out`, which may be `x`; `gain` and `bias` hold n floats. A row with a
/// value that is not finite, or so large that squared deviations overflow, becomes NaN. Class: ordered.
inline void layer_norm_row(const float* x, Index n, const float* gain, const float* bias, float epsilon, float* out) {
  using simd::FloatBatch;
  const auto count = static_cast<float>(n);
  const float first_mean = ordered_sum(n, [&](Index i, Index part) { return load_part(x + i, part); }) / count;
  const auto deviation = [&](Index i, Index part) {
    return keep_part(load_part(x + i, part) - FloatBatch(first_mean), part);
  };
  const float left = ordered_sum(n, deviation);
  const float squares = ordered_sum(n, [&](Index i, Index part) {
    const FloatBatch d = deviation(i, part);
    return simd::pinned(d * d);
  });
  const float correction = left / count;
  const float excess = squares - simd::pinned(left * correction);
  // The last term is 0, or NaN where the squares are not finite.
  const float variance = (excess > 0 ? excess : 0.0f) / count + simd::pinned(squares * 0.0f);
  const FloatBatch scale(1.0f / std::sqrt(variance + epsilon));
  for_each_part(n, [&](Index i, Index part) {
    const FloatBatch centred = load_part(x + i, part) - FloatBatch(first_mean) - FloatBatch(correction);
    const FloatBatch scaled = simd::pinned(simd::pinned(centred * scale) * load_part(gain + i, part));
    store_part(out + i, scaled + load_part(bias + i, part), part);
  });
}

/// Normalizes each row of x `[rows, channels]` into `out` of the same shape, which may be the same memory. Rows must be
/// contiguous, `epsilon` positive. Errors: shapes that do not fit. Reads x once from memory. Class: ordered, for any
/// executor and number of rows.
inline void layer_norm(MatrixView<const float> x, VectorView gain, VectorView bias, float epsilon,
                       MatrixView<float> out, ExecutorRef executor = {}) {
  require_readable("layer_norm", "x", x);
  if (gain.size != x.cols) raise("layer_norm", "gain has ", gain.size, " elements, x has ", x.cols, " columns");
  if (bias.size != x.cols) raise("layer_norm", "bias has ", bias.size, " elements, x has ", x.cols, " columns");
  if (!(epsilon > 0)) raise("layer_norm", "epsilon is ", epsilon, ", expected a positive number");
  if (shape_of(out) != shape_of(x)) raise("layer_norm", "out has shape ", shape_of(out), ", expected ", shape_of(x));
  if (!x.rows_are_contiguous() || !out.rows_are_contiguous()) {
    raise("layer_norm", "the rows of x and out must be contiguous, column strides are ", x.col_stride, " and ",
          out.col_stride);
  }
  if (x.empty()) return;
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) layer_norm_row(x.row(r), x.cols, gain.data, bias.data, epsilon, out.row(r));
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
