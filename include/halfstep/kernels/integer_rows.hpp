#pragma once

/// \file
/// Rows of integers, int8 or int32, as registers of int32: what the integer operators read.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// What an integer operator takes as values: codes of 8 bits, or whole accumulators.
template <class T>
concept IntegerElement = std::same_as<T, std::int8_t> || std::same_as<T, std::int32_t>;

/// `count` integers from `x` on, each as an int32; zeros beyond.
template <IntegerElement T>
[[nodiscard]] simd::IntBatch load_integers(const T* x, Index count) {
  const bool is_whole = count == static_cast<Index>(simd::batch_lanes);
  if constexpr (std::same_as<T, std::int8_t>) {
    return is_whole ? simd::load_bytes<simd::IntBatch>(x)
                    : simd::load_bytes_tail<simd::IntBatch>(x, static_cast<std::size_t>(count));
  } else {
    return is_whole ? simd::load<simd::IntBatch>(x)
                    : simd::load_tail<simd::IntBatch>(x, static_cast<std::size_t>(count));
  }
}

/// Writes the first `count` lanes from `to` on.
inline void store_integers(std::int32_t* to, simd::IntBatch values, Index count) {
  if (count == static_cast<Index>(simd::batch_lanes)) return simd::store(to, values);
  simd::store_tail(to, values, static_cast<std::size_t>(count));
}

/// The same as bytes; each lane is in [0, 255].
inline void store_integers(std::uint8_t* to, simd::IntBatch values, Index count) {
  if (count == static_cast<Index>(simd::batch_lanes)) return simd::store_bytes(to, values);
  simd::store_bytes_tail(to, values, static_cast<std::size_t>(count));
}

/// The largest of `x[0 .. n)`, n at least 1. Class: exact.
template <IntegerElement T>
[[nodiscard]] std::int32_t row_maximum(const T* x, Index n) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  std::int32_t largest = x[0];
  Index i = 0;
  if (n >= lanes) {
    simd::IntBatch running = load_integers(x, lanes);
    for (i = lanes; i + lanes <= n; i += lanes) running = simd::max(running, load_integers(x + i, lanes));
    std::int32_t lane[simd::batch_lanes];
    simd::store(lane, running);
    largest = *std::max_element(lane, lane + lanes);
  }
  for (; i < n; ++i) largest = std::max<std::int32_t>(largest, x[i]);
  return largest;
}

/// Refuses an input and an output that do not fit, or whose rows are not contiguous.
template <class In, class Out>
void require_integer_rows(std::string_view where, const MatrixView<const In>& x, const MatrixView<Out>& out) {
  require_readable(where, "x", x);
  require_readable(where, "out", out);
  if (shape_of(out) != shape_of(x)) raise(where, "out has shape ", shape_of(out), ", expected ", shape_of(x));
  if (!x.rows_are_contiguous() || !out.rows_are_contiguous()) {
    raise(where, "the rows of x and out must be contiguous, column strides are ", x.col_stride, " and ",
          out.col_stride);
  }
}

/// Refuses values of `limit` or more in size, naming the first by row and column.
inline void require_below(std::string_view where, const MatrixView<const std::int32_t>& x, std::int32_t limit,
                          ExecutorRef executor) {
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      const std::int32_t* const row = x.row(r);
      std::int32_t least = 0, most = 0;
      for (Index c = 0; c < x.cols; ++c) {
        least = std::min(least, row[c]);
        most = std::max(most, row[c]);
      }
      if (most < limit && least > -limit) continue;
      const auto* const bad =
          std::find_if(row, row + x.cols, [&](std::int32_t value) { return value >= limit || value <= -limit; });
      raise(where, "x at row ", r, ", column ", static_cast<Index>(bad - row), " is ", *bad, ", expected less than ",
            limit, " in size");
    }
  });
}

/// Refuses the step of integers that is not a positive number of at least `least`.
inline void require_integer_scale(std::string_view where, std::string_view argument, float scale, float least) {
  if (scale >= least && scale <= 0x1p100f) return;
  raise(where, argument, " is ", scale, ", expected a number from ", least, " to 2^100");
}

}  // namespace halfstep::inline HALFSTEP_ABI
