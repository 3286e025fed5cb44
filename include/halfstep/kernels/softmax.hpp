#pragma once

/// \file
/// Softmax over the rows of a float matrix: `p_c = exp(scale * (x_c - max)) / sum_c exp(scale * (x_c - max))`.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/simd/exp.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// The largest of `x[0 .. n)`, n at least 1; without meaning where one of them is NaN. Class: exact.
[[nodiscard]] inline float row_maximum(const float* x, Index n) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  float largest = x[0];
  Index i = 0;
  if (n >= lanes) {
    auto running = simd::load<simd::FloatBatch>(x);
    for (i = lanes; i + lanes <= n; i += lanes) running = simd::max(simd::load<simd::FloatBatch>(x + i), running);
    float lane[simd::batch_lanes];
    simd::store(lane, running);
    largest = *std::max_element(lane, lane + lanes);
  }
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/// Replaces `x[0 .. n)`, n at least 1, by its softmax. Minus infinity gives 0, as a mask needs it; a row that holds
/// NaN, plus infinity, or nothing above minus infinity becomes NaN. Class: ordered.
inline void softmax_row(float* x, Index n, float scale) {
  using simd::FloatBatch;
  const FloatBatch largest(row_maximum(x, n));
  const float sum = ordered_sum(n, [&](Index i, Index part) {
    const FloatBatch power = simd::pinned((load_part(x + i, part) - largest) * FloatBatch(scale));
    const FloatBatch e = simd::exp(power);
    store_part(x + i, e, part);
    return keep_part(e, part);
  });
  for_each_part(n, [&](Index i, Index part) { store_part(x + i, load_part(x + i, part) / FloatBatch(sum), part); });
}

/// Replaces each row of `rows` `[queries, keys]` by its softmax; `scale` is positive and multiplies every score first
/// (attention: 1 / sqrt(head size)). Rows must be contiguous. Errors: a scale that is not positive and finite.
/// Class: ordered, for any executor.
inline void softmax(MatrixView<float> rows, float scale = 1.0f, ExecutorRef executor = {}) {
  require_readable("softmax", "rows", rows);
  if (!(scale > 0 && scale <= std::numeric_limits<float>::max())) {
    raise("softmax", "scale is ", scale, ", expected a positive number");
  }
  if (!rows.rows_are_contiguous()) {
    raise("softmax", "rows must be contiguous, their column stride is ", rows.col_stride);
  }
  if (rows.empty()) return;
  parallel_for(executor, rows.rows, band_grain(rows.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) softmax_row(rows.row(r), rows.cols, scale);
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
