#pragma once

/// \file
/// FQ-ViT's integer LayerNorm: of codes with power-of-two factors, to the next layer's codes.
///
///     X_c  = (code_c - zero) << shift_c                                     all in units of one scale s
///     mean = s sum X / n,  std = s / n sqrt(n sum X^2 - (sum X)^2)          sums in integers, then double
///     A    = gain_c s / (std s_out)
///     N    = clip(7 - floor(log2 |A|), 0, 31),  M = clip(floor(|A| 2^N), 0, 255)
///     B    = rne((bias_c - mean / std gain_c) / s_out 2^N)
///     y_c  = rne((sign(A) M X_c + B) / 2^N)                                 plus the zero point of the output
///
/// y is held between -2^19 and 2^19, so that a B that is held at 2^51 in size makes no difference.
/// There is no epsilon: a row without deviation, and a channel with gain 0, have M = 0 and N = 31, and get the bias.
/// Roundings are to nearest, ties to even. Operations in double are those written, in this order.
///
/// Source: Lin et al., "FQ-ViT", IJCAI 2022, section 3.3 and the published program.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/integer_rows.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Codes with factors: `value = scale * ((code - zero_point) << shift)`, one shift per channel, as
/// `PowerOfTwoFactor<8>` has them.
struct FactorCodes {
  MatrixView<const std::uint8_t> codes;    ///< `[rows, channels]`, contiguous rows
  float scale = 1;                         ///< positive
  std::int32_t zero_point = 0;             ///< 0 to 255
  std::span<const std::int32_t> shifts{};  ///< one per channel, 0 to 7; empty: all 0
};

/// The step and the zero point of what a LayerNorm gives.
struct NormOutput {
  float scale = 1;              ///< positive
  std::int32_t zero_point = 0;  ///< added to y, which is then held in 0 .. 255 where it becomes a code; -255 to 255
};

/// What `factor_layer_norm` writes: the next layer's codes, or y itself.
template <class T>
concept NormElement = std::same_as<T, std::uint8_t> || std::same_as<T, std::int32_t>;

/// One row: statistics of the shifted integers, and the outputs of 16 channels at a time.
class FactorNormRow {
 public:
  static constexpr Index width = 16;

  /// Where `width` channels begin: their integers, gains and biases.
  struct Channels {
    const double* x;
    const double* gain;
    const double* bias;
  };

  FactorNormRow(const std::int32_t* x, Index n, double scale, double out_scale) : out_scale_(out_scale) {
    std::int64_t sum = 0, squares = 0;
    for (Index c = 0; c < n; ++c) {
      sum += x[c];
      squares += std::int64_t{x[c]} * x[c];
    }
    const auto count = static_cast<double>(n);
    const std::int64_t spread = n * squares - sum * sum;
    if (spread == 0) return;
    const double deviation = scale / count * std::sqrt(static_cast<double>(spread));
    step_ = scale;
    divisor_ = deviation * out_scale;
    mean_in_deviations_ = scale * (static_cast<double>(sum) / count) / deviation;
  }

  /// y of `width` channels, integers in double. One loop for each step, of a length that the compiler knows.
  void outputs(const Channels& at, double (&y)[width]) const {
    double moved[width], ratio[width];
    for (Index i = 0; i < width; ++i) moved[i] = mean_in_deviations_ * at.gain[i];
    simd::pin(moved);  // rounded before it is subtracted
    for (Index i = 0; i < width; ++i) ratio[i] = at.gain[i] * step_ / divisor_;
    const Multipliers multiplier(ratio);
    // What follows is exact up to the quotient and the roundings: fusing a product and a sum changes nothing.
    double b[width];
    for (Index i = 0; i < width; ++i) b[i] = (at.bias[i] - moved[i]) / out_scale_ * multiplier.power[i];
    round(b);
    for (Index i = 0; i < width; ++i) {
      y[i] = (std::copysign(multiplier.m[i], ratio[i]) * at.x[i] + b[i]) * multiplier.shrink[i];
    }
    round(y);
  }

 private:
  /// To the nearest integers, ties to even, held at 2^51 in size, in operations that vector registers have:
  /// std::nearbyint is a call.
  static void round(double (&values)[width]) {
    constexpr double shift = 0x1.8p52;  // whose unit is 1
    for (double& v : values) v = v < 0x1p51 ? v : 0x1p51;
    for (double& v : values) v = v > -0x1p51 ? v : -0x1p51;
    for (double& v : values) v = v + shift - shift;
  }

  /// M, 2^N and 2^-N for ratios A, by their bits: M are the 8 leading ones.
  struct Multipliers {
    double m[width], power[width], shrink[width];

    explicit Multipliers(const double (&ratio)[width]) {
      constexpr std::int64_t one = std::int64_t{1} << 52, digits = 1075 * one;  // digits: of 2^52, whose unit is 1
      std::int64_t bits[width], leading[width], up[width], down[width];
      std::memcpy(bits, ratio, sizeof bits);
      for (Index i = 0; i < width; ++i) {
        const std::int64_t exponent = (bits[i] >> 52 & 0x7ff) - 1023, n = 7 - exponent;
        const std::int64_t held = n < 0 ? 0 : n > 31 ? 31 : n;
        const std::int64_t cut = n - held > 8 ? 8 : n > held ? n - held : 0;  // where N is held, so that M is small
        const std::int64_t top = (128 + (bits[i] >> 45 & 127)) >> cut;
        leading[i] = digits + (n < 0 ? 255 : top);
        up[i] = (1023 + held) * one;
        down[i] = (1023 - held) * one;
      }
      std::memcpy(m, leading, sizeof m);
      std::memcpy(power, up, sizeof power);
      std::memcpy(shrink, down, sizeof shrink);
      for (double& value : m) value -= 0x1p52;
    }
  };

  double out_scale_;
  double step_ = 0;                ///< of the integers; 0 where they do not vary, which makes A 0
  double divisor_ = 1;             ///< deviation times the output's step
  double mean_in_deviations_ = 0;  ///< mean / deviation
};

/// Floats in double, zeros after them up to whole parts of `FactorNormRow::width`.
[[nodiscard]] inline std::vector<double> whole_parts(VectorView floats) {
  const Index parts = (floats.size + FactorNormRow::width - 1) / FactorNormRow::width;
  std::vector<double> values(static_cast<std::size_t>(parts * FactorNormRow::width));
  std::copy_n(floats.data, floats.size, values.begin());
  return values;
}

/// Writes `count` values, moved by the zero point and held in the range of the output.
template <NormElement Out>
void store_norm(const double (&y)[FactorNormRow::width], Index count, std::int32_t zero_point, Out* out) {
  constexpr double largest = 0x1p19;
  constexpr double least = std::max(-largest, static_cast<double>(std::numeric_limits<Out>::min()));
  constexpr double most = std::min(largest, static_cast<double>(std::numeric_limits<Out>::max()));
  std::int32_t held[FactorNormRow::width];
  for (Index i = 0; i < FactorNormRow::width; ++i) {
    held[i] = static_cast<std::int32_t>(std::min(most, std::max(least, y[i] + zero_point)));
  }
  for (Index i = 0; i < count; ++i) out[i] = static_cast<Out>(held[i]);
}

/// Refuses parameters of a `factor_layer_norm` that do not fit.
inline void require_factor_norm(const FactorCodes& x, VectorView gain, VectorView bias, const NormOutput& output) {
  constexpr const char* where = "factor_layer_norm";
  const Index cols = x.codes.cols;
  if (gain.size != cols) raise(where, "gain has ", gain.size, " elements, x has ", cols, " columns");
  if (bias.size != cols) raise(where, "bias has ", bias.size, " elements, x has ", cols, " columns");
  if (!x.shifts.empty() && static_cast<Index>(x.shifts.size()) != cols) {
    raise(where, "shifts has ", x.shifts.size(), " elements, x has ", cols, " columns");
  }
  for (const std::int32_t shift : x.shifts) {
    if (shift < 0 || shift > 7) raise(where, "shifts holds ", shift, ", expected 0 to 7");
  }
  if (x.zero_point < 0 || x.zero_point > 255) {
    raise(where, "the zero point of x is ", x.zero_point, ", expected 0 to 255");
  }
  if (output.zero_point < -255 || output.zero_point > 255) {
    raise(where, "the zero point of the output is ", output.zero_point, ", expected -255 to 255");
  }
  for (Index c = 0; c < cols; ++c) {
    if (simd::is_finite(gain[c]) && simd::is_finite(bias[c])) continue;
    raise(where, "channel ", c, " has gain ", gain[c], " and bias ", bias[c], ", expected finite numbers");
  }
  require_integer_scale(where, "the scale of x", x.scale, 0x1p-100f);
  require_integer_scale(where, "the scale of the output", output.scale, 0x1p-100f);
  constexpr Index most_cols = Index{1} << 16;  // |X| < 2^15, so that n sum X^2 stays below 2^62
  if (cols > most_cols) raise(where, "x has ", cols, " columns, expected at most ", most_cols);
}

/// LayerNorm of each row of x `[rows, channels]` into `out` of the same shape: u8 codes, or int32 between
/// -2^19 and 2^19. Rows must be
/// contiguous. Class: exact, for any executor.
///
/// Errors: shapes that do not fit; shifts or a zero point out of range; gains or biases that are not finite; steps that
/// are not positive; more than 2^16 channels.
template <NormElement Out>
void factor_layer_norm(const FactorCodes& x, VectorView gain, VectorView bias, const NormOutput& output,
                       MatrixView<Out> out, ExecutorRef executor = {}) {
  require_integer_rows("factor_layer_norm", x.codes, out);
  require_factor_norm(x, gain, bias, output);
  if (x.codes.empty()) return;
  const Index cols = x.codes.cols;
  const std::vector<double> gains = whole_parts(gain), biases = whole_parts(bias);
  parallel_for(executor, x.codes.rows, band_grain(cols), [&](Index first, Index last) {
    std::vector<std::int32_t> shifted(static_cast<std::size_t>(cols));
    std::vector<double> integers(gains.size());
    for (Index r = first; r < last; ++r) {
      const std::uint8_t* const codes = x.codes.row(r);
      for (Index c = 0; c < cols; ++c) {
        const std::int32_t shift = x.shifts.empty() ? 0 : x.shifts[static_cast<std::size_t>(c)];
        shifted[static_cast<std::size_t>(c)] = (codes[c] - x.zero_point) * (1 << shift);
      }
      std::copy(shifted.begin(), shifted.end(), integers.begin());
      const FactorNormRow row(shifted.data(), cols, static_cast<double>(x.scale), static_cast<double>(output.scale));
      for (Index c = 0; c < cols; c += FactorNormRow::width) {
        double y[FactorNormRow::width];
        row.outputs({integers.data() + c, gains.data() + c, biases.data() + c}, y);
        store_norm(y, std::min(FactorNormRow::width, cols - c), output.zero_point, out.row(r) + c);
      }
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
