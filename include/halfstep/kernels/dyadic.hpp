#pragma once

/// \file
/// Requantization without a float: a ratio of scales as an integer and a shift.
///
///     ratio = in_scale / out_scale,  in double        m = floor(mantissa * 2^31 + 1/2),  e = 31 - exponent
///     y     = rne(z m / 2^e)                          ratio = mantissa * 2^exponent, 1/2 <= mantissa < 1
///
/// Exact for every int64 z: the product is formed in two halves. With a residual both are rounded apart, then added.
///
/// Source: Li and Gu, "I-ViT", ICCV 2023, section 3.2, and the dyadic numbers of I-BERT.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/integer_rows.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// A positive ratio as `multiplier / 2^shift`.
struct Dyadic {
  std::int64_t multiplier = std::int64_t{1} << 30;  ///< 2^30 to 2^31
  int shift = 30;                                   ///< 1 to 92

  friend bool operator==(const Dyadic&, const Dyadic&) = default;

  /// The dyadic number of a ratio from 2^-62 to below 2^30. Errors: another ratio.
  [[nodiscard]] static Dyadic of(double ratio) {
    if (!(ratio >= 0x1p-62 && ratio < 0x1p30)) {
      raise("Dyadic::of", "ratio is ", ratio, ", expected a number from 2^-62 to below 2^30");
    }
    int exponent = 0;
    const double mantissa = std::frexp(ratio, &exponent);
    return {static_cast<std::int64_t>(std::floor(mantissa * 0x1p31 + 0.5)), 31 - exponent};
  }
  /// The ratio of two steps. Errors: as `of`.
  [[nodiscard]] static Dyadic of(float in_scale, float out_scale) {
    return of(static_cast<double>(in_scale) / static_cast<double>(out_scale));
  }
};

/// `rne(z m / 2^e)`, held between -2^62 and 2^62. Class: exact.
[[nodiscard]] constexpr std::int64_t requantize(std::int64_t z, const Dyadic& d) {
  constexpr std::int64_t mask = (std::int64_t{1} << 31) - 1, most = std::int64_t{1} << 62;
  const std::int64_t low = (z & mask) * d.multiplier;  // z = (z >> 31) * 2^31 + (z & mask)
  const std::int64_t units = (z >> 31) * d.multiplier + (low >> 31), rest = low & mask;  // units of 2^31
  std::int64_t floor = 0, cut = 0, half = 0;
  if (d.shift <= 31) {
    const int left = 31 - d.shift;
    if (units >= most >> left) return most;
    if (units < -(most >> left)) return -most;
    floor = units * (std::int64_t{1} << left) + (rest >> d.shift);
    half = std::int64_t{1} << (d.shift - 1);
    cut = rest & (2 * half - 1);
  } else {
    floor = units >> (d.shift - 31);
    half = std::int64_t{1} << (d.shift - 32);
    cut = units & (2 * half - 1);
    if (cut == half && rest != 0) return floor + 1;
  }
  return floor + (cut > half || (cut == half && (floor & 1) != 0) ? 1 : 0);
}

/// The same for |z m| below 2^62 and a shift of at most 62: what int32 values need, and what a compiler makes vector
/// code of.
[[nodiscard]] constexpr std::int64_t requantize_narrow(std::int32_t z, std::int64_t multiplier, int shift) {
  const std::int64_t product = z * multiplier, half = std::int64_t{1} << (shift - 1);
  // Half, less one where the floor is even: exactly what carries ties to the even neighbour.
  return (product + half - 1 + ((product >> shift) & 1)) >> shift;
}

/// What requantized values may be: codes of 8 bits, or a residual branch of 16.
template <class T>
concept RequantizedElement = std::same_as<T, std::int8_t> || std::same_as<T, std::int16_t>;

/// The integers that another branch adds, and the ratio of its step to that of the output.
struct IntegerResidual {
  MatrixView<const std::int32_t> values = {};  ///< of the shape of x, contiguous rows; without data: none
  Dyadic ratio = {};
};

/// Requantizes `z[0 .. n)`, and adds a residual where that is not null.
template <RequantizedElement Out>
void requantize_row(const std::int32_t* z, Index n, const Dyadic& ratio, const std::int32_t* residual,
                    const Dyadic& residual_ratio, Out* out) {
  constexpr std::int64_t least = std::numeric_limits<Out>::min(), most = std::numeric_limits<Out>::max();
  const auto store = [&](Index i, std::int64_t y) { out[i] = static_cast<Out>(std::clamp(y, least, most)); };
  const bool is_narrow = ratio.shift <= 62 && (residual == nullptr || residual_ratio.shift <= 62);
  if (!is_narrow) {
    for (Index i = 0; i < n; ++i) {
      store(i, requantize(z[i], ratio) + (residual == nullptr ? 0 : requantize(residual[i], residual_ratio)));
    }
  } else if (residual == nullptr) {
    for (Index i = 0; i < n; ++i) store(i, requantize_narrow(z[i], ratio.multiplier, ratio.shift));
  } else {
    for (Index i = 0; i < n; ++i) {
      store(i, requantize_narrow(z[i], ratio.multiplier, ratio.shift) +
                   requantize_narrow(residual[i], residual_ratio.multiplier, residual_ratio.shift));
    }
  }
}

/// `out = clamp(rne(x ratio) + rne(residual its ratio))` to the range of int8 or int16, x and out `[rows, cols]` with
/// contiguous rows. Class: exact, for any executor. Errors: shapes that do not fit.
template <RequantizedElement Out>
void requantize(MatrixView<const std::int32_t> x, const Dyadic& ratio, MatrixView<Out> out,
                const IntegerResidual& residual = {}, ExecutorRef executor = {}) {
  require_integer_rows("requantize", x, out);
  const bool has_residual = residual.values.data != nullptr;
  if (has_residual && (shape_of(residual.values) != shape_of(x) || !residual.values.rows_are_contiguous())) {
    raise("requantize", "residual has shape ", shape_of(residual.values), ", expected ", shape_of(x),
          " in contiguous rows");
  }
  if (x.empty()) return;
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      requantize_row(x.row(r), x.cols, ratio, has_residual ? residual.values.row(r) : nullptr, residual.ratio,
                     out.row(r));
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
