#pragma once

/// \file
/// Quantizers that add a constant before a logarithm, freed of subtracting it from every value: AdaLog behind GELU and
/// the shift-uniform-log2 quantizer behind a softmax.
///
///     Q(x) = value(code(x + c)) - c,     Q(x) Wq^T + b = value(code(x + c)) Wq^T + (b - c sum_j Wq(:, j))
///
/// The constant is a `ShiftScale` of shift -c in every channel: `apply` adds it, the quantizer without it encodes, and
/// `folded_bias` takes it out of the consumer's bias. Encoding x with the quantizer as it was gives the same codes, so
/// nothing needs to be added at run time: only what codes stand for and the bias change. For probabilities times values
/// the channels are tokens, the weight is the transposed values, and its bias is -c times the sum of each column.
///
/// Sources: Wu et al., "AdaLog", ECCV 2024, section 3.3 (bias reparameterization); Zhong et al., "I&S-ViT", 2023,
/// section 3.2. Products of this library subtract a real zero anyway; what is saved is that term of theirs.

#include "halfstep/calibrators/transform/folded_bias.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/shift_log2.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A quantizer whose constant the layers around have taken.
template <class Q>
struct Reparameterized {
  ShiftScale transform;
  Q quantizer;  ///< of the transformed activations
};

/// `q` with its constant `q.*constant` moved into a transform of `channels` channels.
template <class Q>
[[nodiscard]] Reparameterized<Q> reparameterized(Q q, float Q::*constant, Index channels) {
  if (channels < 0) raise("reparameterize_bias", "channels is ", channels, ", expected at least 0");
  const float shift = -std::exchange(q.*constant, 0.0f);
  return {{std::vector<float>(static_cast<std::size_t>(channels), shift), {}}, q};
}

/// AdaLog without its shift, for an input of `channels` channels. Errors: a negative number of channels. Class: exact.
///
///     const auto [t, plain] = reparameterize_bias(q, w.cols());
///     const std::vector<float> bias = folded_bias(t, quantized_w, b);   // codes of q; values of plain
template <int Bits, ZeroPolicy Zero, LogFloor Floor>
[[nodiscard]] Reparameterized<AdaLog<Bits, Zero, Floor>> reparameterize_bias(const AdaLog<Bits, Zero, Floor>& q,
                                                                             Index channels) {
  return reparameterized(q, &AdaLog<Bits, Zero, Floor>::shift, channels);
}

/// The shift-uniform-log2 quantizer without its eta. As above.
template <int Bits, LogSteps Steps>
[[nodiscard]] Reparameterized<ShiftLog2<Bits, Steps>> reparameterize_bias(const ShiftLog2<Bits, Steps>& q,
                                                                          Index channels) {
  return reparameterized(q, &ShiftLog2<Bits, Steps>::eta, channels);
}

}  // namespace halfstep::inline HALFSTEP_ABI
