#pragma once

/// \file
/// What the inputs of the linear layers of a language model share a scale with.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// none: inputs stay float. tensor: one quantizer for all tokens, from the range over the calibration sequences. token:
/// one fitted to each token as it comes.
enum class InputScale { none, tensor, token };

/// The rule for inputs of `bits` bits, affine; `range` is what a static one covers. Errors: bits other than 2 to 8
/// where inputs are codes.
[[nodiscard]] inline InputRule uniform_input(int bits, InputScale scale, const Range& range) {
  switch (scale) {
    case InputScale::tensor:
      return uniform_activation(range, bits);
    case InputScale::token:
      return uniform_per_token(bits);
    case InputScale::none:
      break;
  }
  return Activation::kept_in_float();
}

}  // namespace halfstep::inline HALFSTEP_ABI
