#pragma once

/// \file
/// The two 16-bit floating-point storage types, F16 (IEEE binary16) and BF16, and their exact conversions.

#include "halfstep/config.hpp"

#include <bit>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// IEEE binary16 as it is stored: sign, 5 exponent bits, 10 mantissa bits.
struct Half {
  std::uint16_t bits = 0;
  friend constexpr bool operator==(Half, Half) = default;
};

/// bfloat16 as it is stored: the upper half of a binary32.
struct BFloat16 {
  std::uint16_t bits = 0;
  friend constexpr bool operator==(BFloat16, BFloat16) = default;
};

/// The number itself, so that one spelling reads every storage type.
constexpr float to_float(float x) { return x; }

/// Exact; NaN keeps its sign and payload.
constexpr float to_float(BFloat16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }

/// Exact, subnormals and infinities included; NaN keeps its sign and payload. Selections instead of branches, so that a
/// loop over a row becomes vector code.
constexpr float to_float(Half x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t rest = static_cast<std::uint32_t>(x.bits & 0x7fffu) << 13;
  const std::uint32_t exponent = rest & 0x0f800000u;
  const std::uint32_t normal = rest + (112u << 23);   // 127 - 15, the biases
  const std::uint32_t special = rest + (224u << 23);  // 31 becomes 255: infinity and NaN
  // 2^-14 (1 + m) - 2^-14 = 2^-14 m, both of them normal numbers: right under flush-to-zero, too.
  const float shifted = std::bit_cast<float>(rest + (113u << 23)) - 0x1p-14f;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(shifted);
  return std::bit_cast<float>(sign | (exponent == 0x0f800000u ? special : (exponent == 0 ? subnormal : normal)));
}

/// To nearest, ties to even; from 65520 (65504 and half a step) on infinity; NaN stays a (quiet) NaN.
constexpr Half half_from_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const auto with_sign = [sign](std::uint32_t rest) { return Half{static_cast<std::uint16_t>(sign | rest)}; };
  if (magnitude > 0x7f800000u) return with_sign(0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x47800000u) return with_sign(0x7c00u);  // 65536 and above
  const std::uint32_t exponent = magnitude >> 23;
  if (exponent < 102) return with_sign(0);  // below half of the smallest subnormal, 2^-25
  // A normal result keeps 10 of the 23 mantissa bits; a subnormal one fewer, by the distance to exponent 2^-14.
  const std::uint32_t mantissa = exponent < 113 ? (magnitude & 0x7fffffu) | 0x800000u : magnitude - (112u << 23);
  const std::uint32_t dropped = exponent < 113 ? 126 - exponent : 13;
  const std::uint32_t kept = mantissa >> dropped;
  const std::uint32_t rest = mantissa & ((1u << dropped) - 1);
  const std::uint32_t half = 1u << (dropped - 1);
  const bool up = rest > half || (rest == half && (kept & 1u) != 0);
  return with_sign(kept + (up ? 1u : 0u));  // a carry moves into the exponent, up to infinity, as it should
}

/// To nearest, ties to even; NaN stays a (quiet) NaN.
constexpr BFloat16 bfloat16_from_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

}  // namespace halfstep::inline HALFSTEP_ABI
