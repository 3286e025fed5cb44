#pragma once

/// \file
/// An 8-bit floating-point format as plain numbers, for kernels that decode what no byte plane holds.

#include "halfstep/config.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/math.hpp"

#include <concepts>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The format of `Float<E, M, Top>` with E + M = 7: what `decode` of a scale of 1 does, with E and M known at run time.
struct MinifloatCode {
  std::int32_t exponent_bits = 4;
  std::int32_t mantissa_bits = 3;
  std::int32_t largest_code = 0x7f;  ///< of a positive number; codes above it stand for the same

  friend constexpr bool operator==(const MinifloatCode&, const MinifloatCode&) = default;

  /// The value of codes 0 to 255 for scale 1. Class: exact.
  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const std::int32_t bias = (1 << (exponent_bits - 1)) - 1;
    const C magnitude = simd::min(code & C(0x7f), largest_code);
    const C aligned = magnitude << (23 - mantissa_bits);
    const F normal = simd::from_bits(aligned + C((127 - bias) << 23));
    // The smallest codes are multiples of one step: one binade up they have a leading 1, which is taken off again.
    const F subnormal = simd::from_bits(aligned + C((128 - bias) << 23)) - F(simd::power_of_two(1 - bias));
    const F value = simd::select(magnitude < C(1 << mantissa_bits), subnormal, normal);
    return simd::from_bits(simd::to_bits(value) | ((code >> 7) << 31));
  }
};

/// A quantizer of 8-bit minifloats times a scale, whose range no two bytes hold: as a weight it meets activations that
/// are kept in float.
template <class Q>
concept HasMinifloatCode = Q::bits == 8 && requires(const Q& q) {
  { Q::minifloat_code } -> std::convertible_to<MinifloatCode>;
  { q.scale } -> std::convertible_to<float>;
};

}  // namespace halfstep::inline HALFSTEP_ABI
