#pragma once

/// \file
/// Log-int-softmax: FQ-ViT's softmax of integers, straight into log2 codes.
///
///     x0 = floor(-0.6931 / s),  B = floor(b / s),  C = floor(c / s^2)         in float; b, c below
///     p = max(x - max, 30 x0),  q = floor(p / x0),  r = p - q x0
///     e = max(r (r + B) + C, 0) * 2^(30 - q)                                  exp(-t) near 0 by a quadratic
///     ratio = rne(sum e / e),  code = floor(log2 ratio), plus 1 where ratio >= 1.5 * 2^floor(log2 ratio)
///
/// A code stands for 2^-code, as those of `Log2` with scale 1; e = 0 and codes that are too large become the last code.
/// The quotient is that of the integers, exact, ties to even.
///
/// All of it without a division for each key: code >= j exactly where e is at most a threshold t_j that depends on the
/// row's sum, and e, 22 bits times a power of two, is a float.
///
/// Source: Lin et al., "FQ-ViT: Post-Training Quantization for Fully Quantized Vision Transformer", IJCAI 2022,
/// section 3.4; the quadratic is that of I-BERT with other coefficients.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/integer_rows.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/kernels/shiftmax.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The integer exponential of log-int-softmax for one scale.
struct QuadraticExp {
  static constexpr std::int32_t halvings = 30;
  static constexpr double second = 0.35815147, first = 0.96963238;  ///< of `second y^2 + first y + 1`, y in (-log 2, 0]

  std::int32_t x0;  ///< minus the integer that stands for log 2
  std::int32_t b;
  std::int32_t c;

  explicit QuadraticExp(float scale)
      : x0(static_cast<std::int32_t>(std::floor(-0.6931f / scale))),
        b(static_cast<std::int32_t>(std::floor(static_cast<float>(first / second) / scale))),
        c(static_cast<std::int32_t>(std::floor(static_cast<float>(1 / second) / (scale * scale)))) {}

  [[nodiscard]] std::int32_t lowest() const { return halvings * x0; }

  /// e of every lane of p, from `lowest()` to 0, as a float, which holds it exactly. Class: exact.
  [[nodiscard, gnu::always_inline]] simd::FloatBatch operator()(simd::IntBatch p) const {
    using simd::IntBatch;
    // |p| is below 2^24: the quotient is right, and rounds to an integer only where it is one.
    const IntBatch q = simd::to_int(simd::to_float(p) / simd::FloatBatch(static_cast<float>(x0)));
    const IntBatch r = p - q * IntBatch(x0);
    const IntBatch quadratic = simd::max(r * (r + IntBatch(b)) + IntBatch(c), 0);
    return simd::to_float(quadratic) * simd::power_of_two(IntBatch(halvings) - q);
  }
};

/// From powers to codes, for one sum of a row, which is below 2^62: no code but the last is above 62.
class LogCodeThresholds {
 public:
  LogCodeThresholds(std::int64_t sum, std::int32_t last_code)
      : last_code_(last_code),
        top_(static_cast<std::int32_t>(std::bit_width(static_cast<std::uint64_t>(sum))) - 1),
        largest_index_(std::min(last_code, 62)) {
    const auto twice = static_cast<std::uint64_t>(2 * sum);
    // ratio >= 2 from a quotient of 1.5 on (1.5 rounds to 2), >= 3 above 2.5 (which rounds to 2), and from
    // 3 * 2^(j - 2) - 1/2 on above that.
    at_least_[0] = std::numeric_limits<float>::infinity();
    at_least_[1] = float_below(twice / 3);
    at_least_[2] = float_below(twice == 0 ? 0 : (twice - 1) / 5);
    for (int j = 3; j <= largest_index_ + 1 && j < 62; ++j) {
      at_least_[static_cast<std::size_t>(j)] = float_below(twice / ((std::uint64_t{3} << (j - 1)) - 1));
    }
  }

  /// Whether 32 thresholds are all that there are.
  [[nodiscard]] bool are_few() const { return largest_index_ < 31; }

  /// The codes of powers, looked up in the first `Entries` thresholds. sum / e lies between 2^(c - 1) and 2^(c + 1), c
  /// the difference of their exponents, so that the code is one of c - 1, c and c + 1.
  template <std::size_t Entries = 64>
  [[nodiscard, gnu::always_inline]] simd::IntBatch codes(simd::FloatBatch e) const {
    using simd::IntBatch;
    const IntBatch c = simd::clamp(IntBatch(top_) - simd::exponent(e), 0, largest_index_);
    const simd::FloatBatch here = simd::lookup<Entries>(at_least_.data(), c);
    const simd::FloatBatch next = simd::lookup<Entries>(at_least_.data(), c + 1);
    const IntBatch code = c - 1 + simd::select(e <= here, IntBatch(1), 0) + simd::select(e <= next, IntBatch(1), 0);
    return simd::clamp(simd::select(e == simd::FloatBatch(0.0f), IntBatch(last_code_), code), 0, last_code_);
  }

 private:
  /// The largest float that is not above t.
  [[nodiscard]] static float float_below(std::uint64_t t) {
    const auto nearest = static_cast<float>(t);
    const bool is_above = static_cast<std::uint64_t>(nearest) > t;  // t is below 2^63, and so is its float or equal
    return is_above ? std::bit_cast<float>(std::bit_cast<std::uint32_t>(nearest) - 1) : nearest;
  }

  std::int32_t last_code_;
  std::int32_t top_;  // floor(log2 sum)
  std::int32_t largest_index_;
  std::array<float, 64> at_least_{};  // code >= j where e is at most that
};

/// Log-int-softmax of `x[0 .. n)`, n at least 1; `powers` holds n floats of scratch. Class: exact.
template <IntegerElement T>
void log_int_softmax_row(const T* x, Index n, const QuadraticExp& exp, std::int32_t last_code, float* powers,
                         std::uint8_t* out) {
  const std::int32_t largest = row_maximum(x, n);
  for_each_part(n, [&](Index i, Index part) {
    store_part(powers + i, exp(distance_below(load_integers(x + i, part), largest, exp.lowest())), part);
  });
  std::int64_t sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<std::int64_t>(powers[i]);
  const LogCodeThresholds thresholds(sum, last_code);
  if (thresholds.are_few()) {
    for_each_part(n, [&](Index i, Index part) {
      store_integers(out + i, thresholds.codes<32>(load_part(powers + i, part)), part);
    });
  } else {
    for_each_part(
        n, [&](Index i, Index part) { store_integers(out + i, thresholds.codes(load_part(powers + i, part)), part); });
  }
}

/// What the codes of `log_int_softmax` are.
struct LogIntSoftmaxOptions {
  int bits = 4;                           ///< 2 to 8 as the authors count them
  ZeroPolicy zero = ZeroPolicy::reserve;  ///< codes are those of `Log2<bits, zero>` with scale 1; mask: up to 7 bits
  ExecutorRef executor = {};              ///< results do not depend on it
};

/// The softmax of each row of x `[queries, keys]`, int8 or int32 in steps of `scale`, as log2 codes in `out` of the
/// same shape. Rows must be contiguous. Class: exact, for any executor.
///
/// Errors: shapes that do not fit; a scale below 2^-10 or above 2^100; so many keys that a sum could pass 2^62 (2^32
/// over 2.8 / scale^2: some millions for a scale of 0.05); bits that codes of a byte do not hold.
template <IntegerElement T>
void log_int_softmax(MatrixView<const T> x, float scale, MatrixView<std::uint8_t> out,
                     const LogIntSoftmaxOptions& options = {}) {
  constexpr const char* where = "log_int_softmax";
  require_integer_rows(where, x, out);
  require_integer_scale(where, "scale", scale, 0x1p-10f);
  const int most_bits = options.zero == ZeroPolicy::mask ? 7 : 8;
  if (options.bits < 2 || options.bits > most_bits) {
    raise(where, "bits is ", options.bits, ", expected 2 to ", most_bits);
  }
  const QuadraticExp exp(scale);
  const Index most_keys = (Index{1} << 32) / std::max<Index>(exp.c, 1);
  if (x.cols > most_keys) raise(where, "x has ", x.cols, " columns, expected at most ", most_keys, " at this scale");
  if (x.empty()) return;
  const std::int32_t last_code = (1 << options.bits) - (options.zero == ZeroPolicy::mask ? 0 : 1);
  parallel_for(options.executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    std::vector<float> powers(static_cast<std::size_t>(x.cols));
    for (Index r = first; r < last; ++r) {
      log_int_softmax_row(x.row(r), x.cols, exp, last_code, powers.data(), out.row(r));
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
