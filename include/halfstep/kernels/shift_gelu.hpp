#pragma once

/// \file
/// ShiftGELU: I-ViT's GELU of 8-bit integers, `x * sigmoid(1.702 x)` without a float.
///
///     e_c   = ShiftExp(x_c - max),  m = ShiftExp(-max)                    of step 1.702 * scale, n = 23
///     sig_c = (e_c * floor((2^31 - 1) / min(e_c + m, 2^31 - 1))) >> (32 - bits)
///     out_c = x_c * sig_c                                                 in steps of scale * 2^(1 - bits)
///
/// max is the row's. Two ranges where the published operator is of use: `max * scale` below 9.4 (above, the
/// exponentials of the largest and of 0 are both clamped, and sig becomes 1/2 for all x below 0), and a scale of at
/// least 1/200 (below, the sum passes 31 bits).
///
/// A row has 256 different values at most: its outputs are made once, in double, where every step is exact, and looked
/// up.
///
/// Source: Li and Gu, "I-ViT", ICCV 2023, section 3.3.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/integer_rows.hpp"
#include "halfstep/kernels/shift_exp.hpp"
#include "halfstep/kernels/shiftmax.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// ShiftGELU for one scale.
class ShiftGelu {
 public:
  static constexpr std::int32_t halvings = 23;
  /// Step of x to step of the exponentials.
  static constexpr float sigmoid_factor = 1.702f;

  ShiftGelu(float scale, int bits) : x0_(ShiftExp::root(scale * sigmoid_factor)), bits_(bits) {
    for (std::int32_t below = 0; below < 256; ++below) powers_[static_cast<std::size_t>(below)] = power(-below);
  }

  /// What becomes of each x from -128 (entry 0) to `largest`, in a row with that maximum. Entries above are left as
  /// they are.
  void fill_outputs(std::int32_t largest, std::array<std::int32_t, 256>& out) const {
    constexpr double one = integer_one;
    const double at_zero = std::min(power(-largest), one);
    const double shift = std::ldexp(1.0, bits_ - 32);
    for (std::int32_t x = -128; x <= largest; ++x) {
      const double e = powers_[static_cast<std::size_t>(largest - x)];
      const double factor = std::floor(one / std::min(e + at_zero, one));  // no quotient rounds to an integer above
      const auto sigmoid = static_cast<std::int32_t>(e * factor * shift);
      out[static_cast<std::size_t>(x + 128)] = x * sigmoid;
    }
  }

 private:
  /// ShiftExp of any x from -255 to 128, in double: exact up to where it is more than 2^31, and more than that beyond.
  [[nodiscard]] double power(std::int32_t x) const {
    const std::int32_t p = std::max(x + (x >> 1) - (x >> 4), halvings * x0_);
    const auto q = static_cast<std::int32_t>(std::floor(static_cast<double>(p) / x0_));
    const std::int32_t v = p - q * x0_ - 2 * x0_;
    return std::floor(std::ldexp(static_cast<double>(v), halvings - q - 1));
  }

  std::int32_t x0_;
  int bits_;
  std::array<double, 256> powers_{};  // of -below
};

/// ShiftGELU of each row of x `[tokens, channels]`, int8 in steps of `scale`, into `out` of the same shape: int32 in
/// steps of `scale * 2^(1 - bits)`. Rows must be contiguous; the maximum that the
/// exponentials are taken from is the row's. Class: exact, for any executor.
///
/// Errors: shapes that do not fit; a scale below 2^-15 or above 2^100; bits outside 2 .. 8.
inline void shift_gelu(MatrixView<const std::int8_t> x, float scale, MatrixView<std::int32_t> out, int bits = 8,
                       ExecutorRef executor = {}) {
  require_integer_rows("shift_gelu", x, out);
  require_integer_scale("shift_gelu", "scale", scale, 0x1p-15f);
  if (bits < 2 || bits > 8) raise("shift_gelu", "bits is ", bits, ", expected 2 to 8");
  if (x.empty()) return;
  const ShiftGelu gelu(scale, bits);
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    std::array<std::int32_t, 256> outputs{};
    std::int32_t held = std::numeric_limits<std::int32_t>::min();  // the maximum that `outputs` is for
    for (Index r = first; r < last; ++r) {
      const std::int8_t* const row = x.row(r);
      const std::int32_t largest = row_maximum(row, x.cols);
      if (largest != held) gelu.fill_outputs(largest, outputs);
      held = largest;
      std::int32_t* const to = out.row(r);
      for (Index c = 0; c < x.cols; ++c) to[c] = outputs[static_cast<std::size_t>(row[c] + 128)];
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
