#pragma once

/// \file
/// AdaLog: a logarithmic quantizer whose base 2^(q / 37) is searched.
///
///     u     = min((x + shift) / scale, 1)
///     code  = clamp(rne(-log2(u) * 37 / q), 0, last code)
///     value = T2[code] / D * 2^-T1[code] * scale - shift
///     value = -shift   for the last code, where the zero policy gives that to zero
///     T1[i] = floor(i q / 37),  T2[i] = rne(2^(-((i q) mod 37) / 37) * D),  D = 2^(b+1) - 2
///
/// For probabilities after a softmax (scale 1, shift 0) and after GELU (shift 0.16997124254703522). The value is the
/// published table form, of b + 1 bits of mantissa and a shift. Source: AdaLog (Wu et al., ECCV 2024),
/// sections 3.1, 3.2. The published program masks zero and clamps u below at 1e-15: `ZeroPolicy::mask` and
/// `LogFloor::published`. The default gives the last code to zero, and to all that is not positive. Codes come from
/// simd::log2, which has the same bits everywhere; at most 2e-4 of a step beside a tie (8 bits, q = 10) they may differ
/// from those of another logarithm.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/log.hpp"
#include "halfstep/simd/lookup.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// The denominator of AdaLog's exponent: bases are 2^(q / 37).
inline constexpr std::int32_t adalog_root = 37;

/// How far below zero GELU reaches, negated: the shift for its outputs.
inline constexpr float gelu_shift = 0.16997124254703522f;

/// rne(2^(-j / 37) * denominator), j = 0 .. 36, by the series of exp at compile time; no product is near a tie.
[[nodiscard]] constexpr std::array<std::int32_t, 37> adalog_mantissas(int denominator) {
  std::array<std::int32_t, 37> mantissas{};
  for (int j = 0; j < adalog_root; ++j) {
    const double exponent = -j * 0.69314718055994530942 / adalog_root;
    double sum = 1, term = 1;
    for (int n = 1; n < 30; ++n) sum += term *= exponent / n;
    mantissas[static_cast<std::size_t>(j)] = static_cast<std::int32_t>(sum * denominator + 0.5);
  }
  return mantissas;
}

/// AdaLog quantizer that is said to have `Bits` bits (2 to 8).
///
/// NaN and values with x + shift <= 0 get the last code, infinity code 0. Where the levels are close (small q), the
/// rounding of T2 can move one across a tie, and beside a shift a level far below it is rounded to the shift's
/// precision; `encode(decode(c))` may then be a neighbour of c. Class: exact.
template <int Bits, ZeroPolicy Zero = ZeroPolicy::reserve, LogFloor Floor = LogFloor::none>
struct AdaLog {
  using Codes = LogCodes<Bits, Zero>;
  static constexpr int bits = Codes::bits;
  static constexpr int stated_bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr bool decodes_by_table = true;
  static constexpr std::int32_t last_code = Codes::last_code;
  /// D, the integer that stands for a mantissa of 1.
  static constexpr std::int32_t denominator = (2 << Bits) - 2;
  /// T2 by the remainder of i q modulo 37.
  static constexpr std::array<std::int32_t, 37> mantissas = adalog_mantissas(denominator);

  float scale = 1;               ///< the largest level plus the shift, positive
  float shift = 0;               ///< added before the logarithm, subtracted after
  std::int32_t q = adalog_root;  ///< the base is 2^(q / 37); 1 to 1000

  friend bool operator==(const AdaLog&, const AdaLog&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    T u = simd::min((x + T(shift)) / T(scale), 1.0f);  // min and max give their second argument for NaN
    u = simd::select(simd::is_nan(x), T(0.0f), u);
    if constexpr (Floor == LogFloor::published) u = simd::max(u, published_log_floor);
    const T steps = simd::log2(u) * T(-static_cast<float>(adalog_root)) / T(static_cast<float>(q));
    const auto code = simd::round_clamp(steps, 0.0f, static_cast<float>(last_code));
    return simd::select(u > T(0.0f), code, last_code);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const C product = code * C(q);
    const C halvings = divided_by_root(product);
    const F mantissa = simd::lookup<40>(fractions.data(), product - halvings * C(adalog_root));
    F value = mantissa * simd::exp2_int(C(0) - halvings) * F(scale);
    if constexpr (Codes::has_zero) value = simd::select(code >= C(last_code), F(0.0f), value);
    return simd::pinned(value) - F(shift);
  }

  /// T1: how often the mantissa of a code is halved.
  [[nodiscard]] std::int32_t halvings(std::int32_t code) const { return code * q / adalog_root; }
  /// T2: the integer mantissa of a code, in (D / 2, D].
  [[nodiscard]] std::int32_t mantissa(std::int32_t code) const {
    return mantissas[static_cast<std::size_t>(code * q % adalog_root)];
  }

  /// The shift lifts the minimum to 0, the scale is the maximum so lifted, and the base is what the synthetic softmax
  /// rows of the method's comparison prefer at that width: q = 37, 30, 17, 12 and then 10.
  [[nodiscard]] static AdaLog fit(Range range) {
    constexpr std::int32_t q_of_bits = Bits == 2 ? 37 : Bits == 3 ? 30 : Bits == 4 ? 17 : Bits == 5 ? 12 : 10;
    const float shift = range.min < 0 ? -range.min : 0.0f;
    const float top = simd::min(range.max + shift, std::numeric_limits<float>::max());
    return {usable_scale(top), shift, q_of_bits};
  }

 private:
  /// T2 / D, with room for a look-up in whole registers.
  static constexpr std::array<float, 40> fractions = [] {
    std::array<float, 40> values{};
    for (std::size_t j = 0; j < mantissas.size(); ++j) {
      values[j] = static_cast<float>(mantissas[j]) / static_cast<float>(denominator);
    }
    return values;
  }();

  /// n / 37 for 0 <= n < 2^18: 7085 * 37 = 2^18 + 1.
  template <simd::IntLanes C>
  [[nodiscard]] static C divided_by_root(C n) {
    return (n * C(7085)) >> 18;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
