#pragma once

/// \file
/// Logarithmic quantizers of a width and a zero policy that are known at run time only.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit.operator()<Bits, Zero>()` for a logarithmic quantizer that is said to have `bits` bits. Published zeros
/// (`mask`) are a code more than `bits` bits hold; 8-bit ones, which no byte holds, are reserved instead: of 256 levels
/// the last is far below what a product sees. Errors: bits other than 2 to 8; clamped zeros, which no method here can
/// use: 65 small probabilities that become 0.09 each are no distribution.
template <class Visit>
auto with_log_codes(std::string_view where, int bits, ZeroPolicy zero, Visit visit) {
  if (zero == ZeroPolicy::clamp) raise(where, "zero is ZeroPolicy::clamp, expected mask or reserve");
  return with_uniform_bits(where, "bits", bits, [&]<int Bits>() {
    if constexpr (Bits < 8) {
      if (zero == ZeroPolicy::mask) return visit.template operator()<Bits, ZeroPolicy::mask>();
    }
    return visit.template operator()<Bits, ZeroPolicy::reserve>();
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
