#pragma once

/// \file
/// Logarithmic quantizers of a width and a zero policy that are known at run time only.

#include "halfstep/config.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit.operator()<Bits, Zero>()` for a logarithmic quantizer that is said to have `bits` bits. Published zeros
/// (`mask`) are a code more than `bits` bits hold; 8-bit ones, which no byte holds, are reserved instead: of 256 levels
/// the last is far below what a product sees. Error: bits other than 2 to 8.
template <class Visit>
auto with_log_codes(std::string_view where, int bits, ZeroPolicy zero, Visit visit) {
  return with_uniform_bits(where, "bits", bits, [&]<int Bits>() {
    if constexpr (Bits < 8) {
      if (zero == ZeroPolicy::mask) return visit.template operator()<Bits, ZeroPolicy::mask>();
      if (zero == ZeroPolicy::clamp) return visit.template operator()<Bits, ZeroPolicy::clamp>();
    }
    return visit.template operator()<Bits, ZeroPolicy::reserve>();
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
