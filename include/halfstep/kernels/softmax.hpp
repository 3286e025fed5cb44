#pragma once

/// \file
/// Softmax over the rows of a float matrix: `p_c = exp(scale * (x_c - max)) / sum_c exp(scale * (x_c - max))`, and its
/// clipped form, which reaches 0 and 1: `clamp((high - low) * p_c + low, 0, 1)`.

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
#include <string_view>

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

/// Refuses scores or a scale that have no softmax.
inline void require_softmax(std::string_view where, const MatrixView<float>& rows, float scale) {
  require_readable(where, "rows", rows);
  if (!(scale > 0 && scale <= std::numeric_limits<float>::max())) {
    raise(where, "scale is ", scale, ", expected a positive number");
  }
  if (!rows.rows_are_contiguous()) {
    raise(where, "rows must be contiguous, their column stride is ", rows.col_stride);
  }
}

/// Replaces each row of `rows` `[queries, keys]` by its softmax; `scale` is positive and multiplies every score first
/// (attention: 1 / sqrt(head size)). Rows must be contiguous. Errors: a scale that is not positive and finite.
/// Class: ordered, for any executor.
inline void softmax(MatrixView<float> rows, float scale = 1.0f, ExecutorRef executor = {}) {
  require_softmax("softmax", rows, scale);
  if (rows.empty()) return;
  parallel_for(executor, rows.rows, band_grain(rows.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) softmax_row(rows.row(r), rows.cols, scale);
  });
}

/// The range that clipped softmax stretches the probabilities 0 .. 1 to before it cuts them back: what falls outside
/// becomes an exact 0 or 1. `low` (the paper's gamma) is at most 0, `high` (its zeta) at least 1; the default changes
/// nothing.
struct SoftmaxStretch {
  float low = 0;
  float high = 1;
  friend bool operator==(const SoftmaxStretch&, const SoftmaxStretch&) = default;

  /// `low = -alpha / keys`, the published choice where lengths differ; `keys` is the longest row. Errors: an alpha that
  /// is negative or not finite; fewer than one key.
  [[nodiscard]] static SoftmaxStretch for_keys(Index keys, float alpha) {
    if (keys < 1) raise("SoftmaxStretch::for_keys", "keys is ", keys, ", expected at least 1");
    if (!(alpha >= 0 && alpha <= std::numeric_limits<float>::max())) {
      raise("SoftmaxStretch::for_keys", "alpha is ", alpha, ", expected a number of at least 0");
    }
    return {-alpha / static_cast<float>(keys), 1};
  }
};

/// Replaces each row of `rows` `[queries, keys]` by its clipped softmax, `clamp((high - low) * p + low, 0, 1)`. Rows
/// need not add up to 1 afterwards. A row without a softmax becomes NaN, as in `softmax`. Costs one more pass over a
/// row that is in L1.
///
/// Source: Bondarenko, Nagel and Blankevoort, "Quantizable Transformers: Removing Outliers by Helping Attention Heads
/// Do Nothing", NeurIPS 2023, section 4.1. Errors: as `softmax`; a stretch whose low end is above 0 or whose high end
/// is below 1. Class: ordered, for any executor.
inline void clipped_softmax(MatrixView<float> rows, SoftmaxStretch stretch, float scale = 1.0f,
                            ExecutorRef executor = {}) {
  require_softmax("clipped_softmax", rows, scale);
  constexpr float largest = std::numeric_limits<float>::max() / 2;  // so that their difference is a float
  if (!(stretch.low <= 0 && stretch.low >= -largest && stretch.high >= 1 && stretch.high <= largest)) {
    raise("clipped_softmax", "stretch is ", stretch.low, " .. ", stretch.high,
          ", expected a low end of at most 0 and a high end of at least 1");
  }
  if (rows.empty()) return;
  using simd::FloatBatch;
  const FloatBatch width(stretch.high - stretch.low), low(stretch.low);
  parallel_for(executor, rows.rows, band_grain(rows.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      float* const row = rows.row(r);
      softmax_row(row, rows.cols, scale);
      for_each_part(rows.cols, [&](Index i, Index part) {
        const FloatBatch y = simd::pinned(load_part(row + i, part) * width) + low;
        store_part(row + i, simd::select(simd::is_nan(y), y, simd::clamp(y, 0.0f, 1.0f)), part);
      });
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
