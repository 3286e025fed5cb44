#pragma once

/// \file
/// The shift-uniform-log2 quantizer (SULQ): equal steps of log2(x + eta), and levels that are whole powers of two.
///
///     y     = log2(x + eta),   step = (high - low) / (2^b - 1)
///     code  = clamp(rne((y - low) / step), 0, 2^b - 1)
///     value = 2^rne(code * step + low) - eta
///
/// For probabilities after a softmax. Source: I&S-ViT (Zhong et al., 2023), section 3.2. The published forward pass
/// divides the range into 2^b steps, which makes 2^b + 1 codes; we divide it into 2^b - 1, as its own initialization
/// does. `steps` chooses: `ShiftLog2<Bits, LogSteps::published>` takes a bit more than stated.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lower_to_grid.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/log.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// Into how many steps a range of logarithms is divided.
enum class LogSteps {
  fitting,    ///< 2^b - 1: codes of b bits. The default
  published,  ///< 2^b: one code more than b bits hold
};

/// Shift-uniform-log2 quantizer that is said to have `Bits` bits (2 to 8).
///
/// Where a step is below 1 several codes share a value; decode(encode(.)) still gives each value back. x + eta <= 0,
/// NaN and what is below the range get code 0, which is no zero: its value is 2^rne(low) - eta. A level whose distance
/// from -eta is lost in rounding to float, less than 2^-20 of eta, may come back as a neighbour. Class: exact.
template <int Bits, LogSteps Steps = LogSteps::fitting>
struct ShiftLog2 {
  static_assert(Bits >= 2 && Bits <= 8, "ShiftLog2<Bits>: Bits is 2 to 8");
  static constexpr int bits = Steps == LogSteps::published ? Bits + 1 : Bits;
  static constexpr int stated_bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr bool decodes_by_table = true;
  static constexpr std::int32_t last_code = Steps == LogSteps::published ? 1 << Bits : (1 << Bits) - 1;

  float eta = 0.01f;  ///< added before the logarithm, subtracted after
  float low = -7;     ///< the logarithm of code 0
  float high = 0;     ///< the logarithm of the last code

  friend bool operator==(const ShiftLog2&, const ShiftLog2&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    const T y = simd::log2(x + T(eta));
    const T steps = simd::select(simd::is_nan(y), T(0.0f), (y - T(low)) / T(step()));
    return simd::round_clamp(steps, 0.0f, static_cast<float>(last_code));
  }

  /// The power of two that a code stands for, before eta is subtracted.
  template <simd::IntLanes C>
  [[nodiscard]] auto exponent(C code) const {
    using F = simd::FloatOf<C>;
    const C held = simd::min(code, last_code);
    const F y = simd::pinned(simd::to_float(held) * F(step())) + F(low);
    return simd::round_clamp(y, -149.0f, 127.0f);
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return simd::pinned(simd::exp2_int(exponent(code))) - simd::FloatOf<C>(eta);
  }

  /// eta lifts the minimum, where it is negative, to 0, and everything by a 64th of the span; low and high are the
  /// logarithms of the ends so lifted.
  [[nodiscard]] static ShiftLog2 fit(Range range) {
    constexpr auto most = static_cast<double>(std::numeric_limits<float>::max());
    const auto least = static_cast<double>(range.min < 0 ? range.min : 0.0f);
    const double span = std::fmax(static_cast<double>(range.max), 0.0) - least;
    const float eta = usable_scale(static_cast<float>(std::fmin(span / 64 - least, most)));
    const auto lifted = [&](float x) {
      const double sum = static_cast<double>(x) + static_cast<double>(eta);
      return simd::log2(static_cast<float>(std::clamp(sum, 0x1p-126, most)));
    };
    return {eta, lifted(range.min), lifted(range.max)};
  }

  /// Multiples of the smallest power of two, exact where the powers span at most 15 octaves (one plane for up to 7),
  /// but for the rounding of eta; otherwise levels are rounded to the largest power over 2^15.
  [[nodiscard]] Lowering lower() const {
    const std::int32_t largest = exponent(last_code);
    const std::int32_t unit = std::max(exponent(std::int32_t{0}), largest - 15);
    const double size = std::ldexp(1.0, unit);
    return lower_to_grid(*this, size, static_cast<double>(eta) / size);
  }

 private:
  /// 0 where all values are the same: then so are all levels, and what is above gets the last code.
  [[nodiscard]] float step() const { return (high - low) / static_cast<float>(last_code); }
};

}  // namespace halfstep::inline HALFSTEP_ABI
