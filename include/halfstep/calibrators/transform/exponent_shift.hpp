#pragma once

/// \file
/// LLM-FP4's pre-shifted exponent bias: channels with exponent biases of their own under one minifloat quantizer.
///
///     k_c = clip(rne(b_c), rne(rho), rne(rho) + 2^E - 1) - rne(rho)       b_c: a channel's bias, rho: the layer's
///     x'_c = x_c 2^k_c,   w'(o, c) = w(o, c) 2^-k_c
///
/// A `ShiftScale` of powers of two, so that `apply` and `fold` are exact (but for subnormal results): an addition to
/// exponents. The transformed activations share the bias rho.
///
/// Source: Liu et al., "LLM-FP4: 4-Bit Floating-Point Quantized Transformers", EMNLP 2023, section 4.2. The published
/// simulation quantizes the weights as they are, without the factor 2^-k_c, which a product of codes must put
/// somewhere. Here it goes into the weights before they are quantized, whose ranges it widens by up to 2^(2^E - 1);
/// whoever wants the simulation's numbers leaves the weights alone and takes 2^-k_c off the decoded activations.

#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The transform of channels whose minifloats of `exponent_bits` exponent bits would have the biases `channel_biases`,
/// under one quantizer of bias `layer_bias`. Where a channel's bias is less than the layer's or too far above it, it
/// is clipped. Errors: biases that are not finite, by channel, or beyond +-100; exponent bits outside of 1 to 5.
/// Class: exact.
[[nodiscard]] inline ShiftScale exponent_shift(VectorView channel_biases, float layer_bias, int exponent_bits) {
  constexpr float largest = 100;  // scales stay normal numbers
  if (exponent_bits < 1 || exponent_bits > 5) {
    raise("exponent_shift", "exponent_bits is ", exponent_bits, ", expected 1 to 5");
  }
  if (!(std::fabs(layer_bias) <= largest)) {
    raise("exponent_shift", "layer_bias is ", layer_bias, ", expected -100 to 100");
  }
  ShiftScale t;
  t.scale.reserve(static_cast<std::size_t>(channel_biases.size));
  const float base = simd::round_even(layer_bias);
  const auto reach = static_cast<float>((1 << exponent_bits) - 1);
  for (Index c = 0; c < channel_biases.size; ++c) {
    if (!(std::fabs(channel_biases[c]) <= largest)) {
      raise("exponent_shift", "bias of channel ", c, " is ", channel_biases[c], ", expected -100 to 100");
    }
    const float k = std::clamp(simd::round_even(channel_biases[c]), base, base + reach) - base;
    t.scale.push_back(std::ldexp(1.0f, -static_cast<int>(k)));
  }
  return t;
}

/// What `pre_shift` chooses.
template <class F>
struct PreShifted {
  ShiftScale transform;
  F quantizer;  ///< of the transformed activations
};

/// The transform and the quantizer `F`, a `Float<E, M>`, for activations whose largest magnitudes are `channel_maxima`
/// `[channels]`: each channel's bias is the one that just holds its maximum, the layer's is the least of them, which is
/// where LLM-FP4's search starts. A channel that was never active is not shifted.
///
/// Errors: a maximum that is negative or not finite, by channel; one outside of 2^-60 to 2^60 but 0. Class: ordered.
///
///     const auto chosen = pre_shift<Float<2, 1>>(channel_absmax(seen.ranges()));
template <class F>
[[nodiscard]] PreShifted<F> pre_shift(VectorView channel_maxima) {
  require_maxima("pre_shift", "channel_maxima", channel_maxima);
  float least = std::numeric_limits<float>::max();
  std::vector<float> biases;
  for (Index c = 0; c < channel_maxima.size; ++c) {
    const float maximum = channel_maxima[c];
    if (maximum != 0 && !(maximum >= 0x1p-60f && maximum <= 0x1p60f)) {
      raise("pre_shift", "channel_maxima of channel ", c, " is ", maximum, ", expected 0 or 2^-60 to 2^60");
    }
    biases.push_back(F::fit({0, maximum, 0}).exponent_bias());
    if (maximum > 0) least = std::min(least, biases.back());
  }
  if (least == std::numeric_limits<float>::max()) return {{{}, std::vector<float>(biases.size(), 1.0f)}, F()};
  for (std::size_t c = 0; c < biases.size(); ++c) {
    if (channel_maxima[static_cast<Index>(c)] == 0) biases[c] = least;
  }
  return {exponent_shift(biases, least, F::bits - 1 - F::mantissa_bits), F::with_exponent_bias(least)};
}

}  // namespace halfstep::inline HALFSTEP_ABI
