#pragma once

/// \file
/// NoisyQuant's noisy bias: a fixed number added to each channel before it is encoded, and taken out of the bias.
///
///     y = Q(x + N) Wq^T + (b - Wq N)        N: one number per channel, the same for every token; Wq: decoded weight
///
/// With noise over one step, every x has the mean squared error step^2 / 12, where without it x has the square of its
/// distance from the grid: it pays where the density peaks off the grid. The transform is a `ShiftScale` of shift -N:
/// `apply` adds the noise, `fold` puts it into the layer in front, and the consumer's bias comes from `folded_bias`,
/// because it is the quantized weight that multiplies.
///
/// Source: Liu et al., "NoisyQuant: Noisy Bias-Enhanced Post-Training Activation Quantization for Vision Transformers",
/// CVPR 2023. The paper draws N uniformly over a range tied to the step, which is what `uniform_noise` does; the
/// published program searches a mean and an amplitude along a random direction, which `with_noise` takes.

#include "halfstep/calibrators/transform/folded_bias.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/vector_view.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The transform that adds `noise`, one number per channel. Errors: noise that is not finite.
[[nodiscard]] inline ShiftScale with_noise(VectorView noise) {
  ShiftScale t;
  t.shift.reserve(static_cast<std::size_t>(noise.size));
  for (Index c = 0; c < noise.size; ++c) {
    if (!is_finite_bits(noise[c])) {
      raise("with_noise", "noise of channel ", c, " is ", name_of_non_finite(noise[c]), ", expected a finite number");
    }
    t.shift.push_back(-noise[c]);
  }
  return t;
}

/// The transform that adds to each channel a number drawn uniformly from [-step / 2, step / 2), `step` being the scale
/// of the quantizer that follows; channel c takes position c of `random`. A step of 0 adds nothing. Class: exact.
/// Errors: a step that is negative or not finite; a negative number of channels.
[[nodiscard]] inline ShiftScale uniform_noise(Index channels, float step, const Random& random) {
  if (channels < 0) raise("uniform_noise", "channels is ", channels, ", expected at least 0");
  if (!(is_finite_bits(step) && step >= 0)) {
    raise("uniform_noise", "step is ", step, ", expected a finite number of at least 0");
  }
  ShiftScale t;
  t.shift.reserve(static_cast<std::size_t>(channels));
  for (Index c = 0; c < channels; ++c) {
    t.shift.push_back((0.5f - random.uniform(static_cast<std::uint64_t>(c))) * step);
  }
  return t;
}

}  // namespace halfstep::inline HALFSTEP_ABI
