#pragma once

/// \file
/// Floating-point formats of a few bits times a real scale: FP4, FP6 and FP8.
///
/// A code is a sign bit, E bits of exponent e and M bits of mantissa m, with the bias B = 2^(E-1) - 1 (0 for E = 1):
///
///     value = (-1)^sign * scale * 2^(e - B) * (1 + m / 2^M)     e > 0
///     value = (-1)^sign * scale * 2^(1 - B) * m / 2^M           e = 0
///
/// `encode` rounds to the nearest, ties to the even significand (where M is 0: up, but to 0 below the smallest level),
/// and saturates. LLM-FP4 (Liu et al., EMNLP 2023) has a real exponent bias b instead of a scale: scale = 2^(B - b),
/// see `with_exponent_bias`. Its published quantizer emits one magnitude too many in its final pass, a slip of integer
/// powers; we do not. The exponent comes from the bits of x / scale, where the published code takes a logarithm in
/// float32 that may fall one binade low.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lower_to_grid.hpp"
#include "halfstep/quantizers/minifloat_code.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/bits.hpp"

#include <cmath>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What the largest codes of a minifloat are.
enum class TopCodes {
  finite,    ///< numbers like the others
  reserved,  ///< infinity and NaN as the OCP formats have them: the top mantissa of E4M3, the top exponent of E5M2
};

/// Minifloat quantizer with `E` exponent and `M` mantissa bits and a sign, E + M + 1 = 3 to 8 bits.
///
/// -0 is a code of its own: what is negative and rounds to zero keeps its sign. NaN gets code 0; infinities saturate.
/// Codes that are reserved are never made; they decode to the largest value. Class: exact.
template <int E, int M, TopCodes Top = TopCodes::finite>
struct Float {
  static_assert(E >= 1 && E <= 5 && M >= 0 && E + M + 1 >= 3 && E + M + 1 <= 8, "Float<E, M>: 3 to 8 bits in all");
  static_assert(Top == TopCodes::finite || (E == 4 && M == 3) || (E == 5 && M == 2),
                "Float<E, M>: only E4M3 and E5M2 have reserved codes");
  static constexpr int bits = E + M + 1;
  static constexpr int mantissa_bits = M;
  static constexpr bool reads_mean_abs = false;
  static constexpr bool decodes_by_table = true;
  /// The exponent bias of the format itself.
  static constexpr int bias = (1 << (E - 1)) - 1;
  /// The code of the largest magnitude.
  static constexpr std::int32_t largest_code = Top == TopCodes::finite ? (1 << (E + M)) - 1 : (E == 4 ? 0x7e : 0x7b);
  /// The step between the smallest magnitudes is 2^finest.
  static constexpr int finest = 1 - bias - M;
  /// The largest magnitude for scale 1.
  static constexpr float largest_value = static_cast<float>((1 << M) + (largest_code & ((1 << M) - 1))) *
                                         simd::power_of_two(std::int32_t{(largest_code >> M) - bias - M});

  /// What a kernel decodes, where no byte planes hold the values.
  static constexpr MinifloatCode minifloat_code{E, M, largest_code};

  float scale = 1;  ///< positive

  friend bool operator==(const Float&, const Float&) = default;

  /// The quantizer of a real exponent bias: its largest magnitude is (2 - 2^-M) * 2^(2^E - 1 - exponent_bias).
  [[nodiscard]] static Float with_exponent_bias(float exponent_bias) {
    return {static_cast<float>(std::exp2(static_cast<double>(bias) - static_cast<double>(exponent_bias)))};
  }
  /// The exponent bias that goes with the scale.
  [[nodiscard]] float exponent_bias() const {
    return static_cast<float>(static_cast<double>(bias) - std::log2(static_cast<double>(scale)));
  }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    const T y = x / T(scale);
    // min gives its second argument for NaN, which is then replaced.
    const T magnitude = simd::select(simd::is_nan(y), T(0.0f), simd::min(simd::abs(y), largest_value));
    const Int sign = simd::select(simd::is_nan(y), Int(0), simd::shift_right_logical(simd::to_bits(y), 31));
    // The exponent field, at least that of the smallest normal binade.
    const Int binade = simd::max(simd::shift_right_logical(simd::to_bits(magnitude), 23) - Int(127), 1 - bias);
    // Exact: a power of two, and nothing that could become subnormal but what rounds to 0.
    const Int steps = simd::round_to_int(magnitude * simd::power_of_two(Int(M) - binade));
    return (sign << (E + M)) + ((binade - Int(1 - bias)) << M) + steps;
  }

  template <simd::IntLanes C>
  [[nodiscard]] constexpr auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const C magnitude = simd::min(code & C((1 << (E + M)) - 1), largest_code);
    const C exponent = magnitude >> M;
    const C implicit = simd::select(exponent > C(0), C(1 << M), 0);
    const C significand = (magnitude & C((1 << M) - 1)) + implicit;
    const C power = simd::max(exponent, 1) - C(bias + M);
    const F value = simd::to_float(significand) * simd::power_of_two(power) * F(scale);
    return simd::from_bits(simd::to_bits(value) | ((code >> (E + M)) << 31));
  }

  /// The largest magnitude of the range is the largest of the format.
  [[nodiscard]] static Float fit(Range range) {
    const float scale = usable_scale(absmax(range) / largest_value);
    return {finite_scale(scale, largest_value)};
  }

  /// Multiples of 2^finest * scale: one exact plane for FP4 and E2M3, two for E3M2 and E2M5. FP8 reaches further than
  /// two bytes: as activations its fixed-point planes lose the smallest magnitudes, at most 2^-17 of the span; as
  /// weights its codes are kept, and meet activations in float.
  [[nodiscard]] constexpr Lowering lower() const {
    return lower_to_grid(*this,
                         static_cast<double>(scale) * static_cast<double>(simd::power_of_two(std::int32_t{finest})));
  }
};

using Fp4E2M1 = Float<2, 1>;                      ///< OCP FP4: 0, 0.5, 1, 1.5, 2, 3, 4, 6
using Fp4E1M2 = Float<1, 2>;                      ///< 0, 0.5, ..., 3.5: uniform
using Fp4E3M0 = Float<3, 0>;                      ///< powers of two
using Fp6E2M3 = Float<2, 3>;                      ///< OCP FP6, up to 7.5
using Fp6E3M2 = Float<3, 2>;                      ///< OCP FP6, up to 28
using Fp8E4M3 = Float<4, 3, TopCodes::reserved>;  ///< OCP FP8, up to 448
using Fp8E5M2 = Float<5, 2, TopCodes::reserved>;  ///< OCP FP8, up to 57344

}  // namespace halfstep::inline HALFSTEP_ABI
