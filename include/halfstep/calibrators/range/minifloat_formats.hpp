#pragma once

/// \file
/// Minifloat formats as values, for searches over them, and how LLM-FP4 gives them exponent biases.
///
/// A bias b stands for the scale 2^(B - b), B the bias of the format itself: the largest magnitude is
/// (2 - 2^-M) * 2^(2^E - 1 - b). Source: Liu et al., "LLM-FP4", EMNLP 2023, section 3.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/scale.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Exponent and mantissa bits of a `Float<E, M>`.
struct MinifloatFormat {
  int exponent_bits = 2;
  int mantissa_bits = 1;
  friend bool operator==(const MinifloatFormat&, const MinifloatFormat&) = default;
};

/// "E2M1".
inline void append_text(std::string& text, const MinifloatFormat& format) {
  text += concat("E", format.exponent_bits, "M", format.mantissa_bits);
}

/// The formats of `Bits` bits, sign included, by growing mantissa: those of LLM-FP4 with at most 5 exponent bits. 4:
/// E3M0, E2M1, E1M2.
template <int Bits>
[[nodiscard]] std::vector<MinifloatFormat> minifloat_formats() {
  static_assert(Bits >= 3 && Bits <= 8, "minifloat_formats<Bits>: Bits is 3 to 8");
  std::vector<MinifloatFormat> formats;
  for (int e = std::min(5, Bits - 1); e >= 1; --e) formats.push_back({e, Bits - 1 - e});
  return formats;
}

/// Calls `visit(Float<E, M>())` for the format, which is one of `Bits` bits. Errors: any other.
template <int Bits, class Visit>
void with_minifloat(const MinifloatFormat& format, Visit&& visit) {
  const auto try_one = [&](auto exponent_bits) {
    constexpr int e = decltype(exponent_bits)::value;
    if constexpr (e < Bits) {
      if (format == MinifloatFormat{e, Bits - 1 - e}) {
        visit(Float<e, Bits - 1 - e>());
        return true;
      }
    }
    return false;
  };
  const bool is_found = [&]<int... E>(std::integer_sequence<int, E...>) {
    return (try_one(std::integral_constant<int, E + 1>()) || ...);
  }
  (std::make_integer_sequence<int, 5>());
  if (!is_found) raise("with_minifloat", "format is ", format, ", expected one of ", Bits, " bits");
}

/// The quantizer of an exponent bias, kept where its scale and all its values are normal floats.
template <class Q>
[[nodiscard]] Q minifloat_of_bias(float exponent_bias) {
  constexpr float least = -120.0f, largest = 120.0f;
  const float scale = Q::with_exponent_bias(std::clamp(exponent_bias, least, largest)).scale;
  return {finite_scale(usable_scale(scale), Q::largest_value)};
}

/// The quantizers of exponent biases, in order: what `quantize_with` takes.
template <class Q>
[[nodiscard]] std::vector<Q> minifloats_of_biases(std::span<const float> exponent_biases) {
  std::vector<Q> quantizers;
  for (const float bias : exponent_biases) quantizers.push_back(minifloat_of_bias<Q>(bias));
  return quantizers;
}

/// The exponent bias whose largest magnitude is `largest`, +infinity for 0.
[[nodiscard]] inline float exponent_bias_of(const MinifloatFormat& format, float largest) {
  if (!(largest > 0)) return std::numeric_limits<float>::infinity();
  const double mantissa = 2 - std::exp2(-format.mantissa_bits);
  const double top = std::exp2(format.exponent_bits) - 1;
  return static_cast<float>(top + std::log2(mantissa) - std::log2(static_cast<double>(largest)));
}

/// Biases of channels as one common real bias and a shift of its own for each channel: `bias + shifts[j]`.
struct SharedExponentBias {
  float bias = 0;
  std::vector<std::int32_t> shifts;  ///< 0 .. 2^E - 1
};

/// The shifts that come nearest to `channel_biases` for a common bias:
/// `k_j = clip(rne(b_j), rne(bias), rne(bias) + 2^E - 1) - rne(bias)`. A channel of zeros (infinity) gets the largest.
/// Class: exact.
[[nodiscard]] inline SharedExponentBias shared_exponent_bias(const MinifloatFormat& format,
                                                             std::span<const float> channel_biases, float bias) {
  SharedExponentBias shared{bias, {}};
  const float least = std::nearbyint(bias);
  const float most = static_cast<float>((1 << format.exponent_bits) - 1);
  for (const float b : channel_biases) {
    shared.shifts.push_back(static_cast<std::int32_t>(std::clamp(std::nearbyint(b) - least, 0.0f, most)));
  }
  return shared;
}

/// The least of the channels' biases, where the search for a common one starts; the format's own where all channels
/// are zeros.
[[nodiscard]] inline float least_exponent_bias(const MinifloatFormat& format, std::span<const float> channel_biases) {
  float least = std::numeric_limits<float>::infinity();
  for (const float b : channel_biases) least = b < least ? b : least;
  return !is_finite_bits(least) ? static_cast<float>((1 << (format.exponent_bits - 1)) - 1) : least;
}

}  // namespace halfstep::inline HALFSTEP_ABI
