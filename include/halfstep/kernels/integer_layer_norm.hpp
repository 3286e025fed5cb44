#pragma once

/// \file
/// I-LayerNorm: LayerNorm of integers with an integer square root.
///
///     y_c   = x_c - rne(mean)
///     k     = ten steps k = (k + v / k) >> 1 from 2^16, v = sum y^2              about sqrt(v) = sqrt(n) deviation
///     out_c = ((y_c * floor((2^31 - 1) / k)) >> 1) + bias_c                      2^30 y / sqrt(v)
///
/// in steps of `sqrt(n) / 2^30 * gain_c`, of each channel its own, with `bias_c = floor((bias / gain) / (sqrt(n) /
/// 2^30))`. The scale of x cancels.
///
/// Ten steps are enough from sqrt(v) = 200 on; below, k is too large (182 for 181, 83 for 64, never under 64). So a row
/// should vary by some hundred units: x of 16 bits, as the authors have it. A constant row gives the bias.
///
/// Source: Li and Gu, "I-ViT", ICCV 2023, section 3.3. `bias / gain` and `sqrt(n)` are rounded to float as in the
/// published program, what follows is double.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/integer_rows.hpp"
#include "halfstep/kernels/shiftmax.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `sum / count` rounded to the nearest integer, ties to even, for count >= 1 and |sum| below 2^62. Class: exact.
[[nodiscard]] constexpr std::int64_t rounded_quotient(std::int64_t sum, std::int64_t count) {
  std::int64_t floor = sum / count;
  if (floor * count > sum) --floor;
  const std::int64_t rest = sum - floor * count, left = count - rest;
  return floor + (rest > left || (rest == left && (floor & 1) != 0) ? 1 : 0);
}

/// The integer square root of I-LayerNorm: ten steps from 2^16, never below 64. Class: exact.
[[nodiscard]] constexpr std::int64_t newton_root(std::int64_t v) {
  std::int64_t k = std::int64_t{1} << 16;
  for (int step = 0; step < 10; ++step) k = (k + v / k) >> 1;
  return k;
}

/// Gain and bias of a LayerNorm as its integer form takes them.
struct IntegerNorm {
  std::vector<double> scale;       ///< what a unit of each output channel is worth
  std::vector<std::int64_t> bias;  ///< in those units

  /// Of `gain` and `bias`, one float per channel. Errors: other numbers of channels; a gain of 0, under which the bias
  /// has no integer; values that are not finite; a bias of 2^52 units or more.
  [[nodiscard]] static IntegerNorm of(VectorView gain, VectorView bias) {
    constexpr const char* where = "IntegerNorm::of";
    if (gain.size != bias.size) raise(where, "gain has ", gain.size, " elements, bias ", bias.size);
    IntegerNorm norm;
    const double unit = static_cast<double>(std::sqrt(static_cast<float>(gain.size))) / 0x1p30;
    for (Index c = 0; c < gain.size; ++c) {
      const double units = std::floor(static_cast<double>(bias[c] / gain[c]) / unit);
      if (gain[c] == 0 || !(std::fabs(units) < 0x1p52)) {
        raise(where, "channel ", c, " has gain ", gain[c], " and bias ", bias[c],
              ", expected a gain other than 0 and a bias of less than 2^52 units");
      }
      norm.scale.push_back(unit * static_cast<double>(gain[c]));
      norm.bias.push_back(static_cast<std::int64_t>(units));
    }
    return norm;
  }
};

/// What `integer_layer_norm` reads stays below this in size, so that sums of squares over 2^20 channels fit 63 bits.
inline constexpr std::int32_t integer_norm_limit = std::int32_t{1} << 20;

/// Normalizes `x[0 .. n)`, n at least 1, into `out`. Class: exact.
inline void integer_layer_norm_row(const std::int32_t* x, Index n, const std::int64_t* bias, std::int64_t* out) {
  std::int64_t sum = 0, squares = 0;
  for (Index c = 0; c < n; ++c) sum += x[c];
  const auto mean = static_cast<std::int32_t>(rounded_quotient(sum, n));
  for (Index c = 0; c < n; ++c) {
    const std::int32_t y = x[c] - mean;
    squares += std::int64_t{y} * y;
  }
  const auto factor = static_cast<std::int32_t>(integer_one / newton_root(squares));
  for (Index c = 0; c < n; ++c) {
    const std::int32_t y = x[c] - mean;
    out[c] = ((std::int64_t{y} * factor) >> 1) + bias[c];
  }
}

/// LayerNorm of each row of x `[rows, channels]`, int32 below 2^20 in size, into `out` of the same shape, in units of
/// `norm.scale`. Rows must be contiguous, of at most 2^20 channels. Class: exact, for any executor.
///
/// Errors: shapes that do not fit; an x of 2^20 or more, named by row and column; `out` is then left as it was.
inline void integer_layer_norm(MatrixView<const std::int32_t> x, const IntegerNorm& norm, MatrixView<std::int64_t> out,
                               ExecutorRef executor = {}) {
  constexpr const char* where = "integer_layer_norm";
  require_integer_rows(where, x, out);
  if (static_cast<Index>(norm.bias.size()) != x.cols) {
    raise(where, "norm has ", norm.bias.size(), " channels, x has ", x.cols, " columns");
  }
  if (x.cols > integer_norm_limit) raise(where, "x has ", x.cols, " columns, expected at most ", integer_norm_limit);
  if (x.empty()) return;
  require_below(where, x, integer_norm_limit, executor);
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) integer_layer_norm_row(x.row(r), x.cols, norm.bias.data(), out.row(r));
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
