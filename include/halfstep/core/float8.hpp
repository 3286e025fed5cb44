#pragma once

/// \file
/// The values of the 8-bit floating-point codes that files hold. Decoding only: how a real number becomes such a code
/// is the business of a quantizer.

#include "halfstep/config.hpp"

#include <bit>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The value of an 8-bit float with a sign, `ExponentBits` exponent bits and `7 - ExponentBits` mantissa bits,
/// no code being special: `(-1)^s * 2^(e - Bias) * 1.m`, and `(-1)^s * 2^(1 - Bias) * 0.m` where e is 0.
/// Every such value is a normal number of binary32 (or zero), so the product below is exact. Class: exact.
template <int ExponentBits, int Bias>
[[nodiscard]] constexpr float decode_float8(std::uint8_t code) {
  constexpr int mantissa_bits = 7 - ExponentBits;
  static_assert(Bias + mantissa_bits <= 126, "the smallest value would be subnormal in binary32");
  const unsigned magnitude = code & 0x7Fu;
  const unsigned exponent = magnitude >> mantissa_bits;
  const unsigned fraction = magnitude & ((1u << mantissa_bits) - 1u);
  const unsigned significand = exponent == 0 ? fraction : fraction + (1u << mantissa_bits);
  const int power = (exponent == 0 ? 1 : static_cast<int>(exponent)) - Bias - mantissa_bits;
  const float unit = std::bit_cast<float>(static_cast<std::uint32_t>(power + 127) << 23);
  const float value = static_cast<float>(significand) * unit;
  return (code & 0x80u) != 0 ? -value : value;
}

/// A quiet NaN with the sign of `code`.
[[nodiscard]] constexpr float nan_with_sign_of(std::uint8_t code) {
  return std::bit_cast<float>(0x7FC00000u | (static_cast<std::uint32_t>(code & 0x80u) << 24));
}

/// The value of an E4M3 code as OCP defines it ("fn"): bias 7, largest 448, no infinity, 0x7F and 0xFF are NaN.
/// Class: exact. Source: OCP 8-bit Floating Point Specification, section 4.
[[nodiscard]] constexpr float decode_e4m3(std::uint8_t code) {
  return (code & 0x7Fu) == 0x7Fu ? nan_with_sign_of(code) : decode_float8<4, 7>(code);
}

/// The value of an E5M2 code: bias 15, largest 57344, 0x7C is infinity, 0x7D to 0x7F are NaN; the same with a sign.
/// Class: exact. Source: OCP 8-bit Floating Point Specification, section 4.
[[nodiscard]] constexpr float decode_e5m2(std::uint8_t code) {
  const unsigned magnitude = code & 0x7Fu;
  if (magnitude > 0x7Cu) return nan_with_sign_of(code);
  if (magnitude < 0x7Cu) return decode_float8<5, 15>(code);
  constexpr float infinity = std::bit_cast<float>(0x7F800000u);
  return (code & 0x80u) != 0 ? -infinity : infinity;
}

/// The value of an E4M3FNUZ code: bias 8, largest 240, neither infinity nor a negative zero; 0x80 is the only NaN.
/// Class: exact.
[[nodiscard]] constexpr float decode_e4m3fnuz(std::uint8_t code) {
  return code == 0x80u ? nan_with_sign_of(0) : decode_float8<4, 8>(code);
}

/// The value of an E5M2FNUZ code: bias 16, largest 57344, neither infinity nor a negative zero; 0x80 is the only NaN.
/// Class: exact.
[[nodiscard]] constexpr float decode_e5m2fnuz(std::uint8_t code) {
  return code == 0x80u ? nan_with_sign_of(0) : decode_float8<5, 16>(code);
}

/// The value of an E8M0 code, a power of two without a sign: `2^(code - 127)`, from 2^-127 (a subnormal of binary32)
/// to 2^127; 0xFF is NaN, nothing is zero. Class: exact.
/// Source: OCP Microscaling Formats (MX) Specification v1.0, section 5.4.1.
[[nodiscard]] constexpr float decode_e8m0(std::uint8_t code) {
  if (code == 0xFFu) return nan_with_sign_of(0);
  return std::bit_cast<float>(code == 0 ? 0x00400000u : static_cast<std::uint32_t>(code) << 23);
}

}  // namespace halfstep::inline HALFSTEP_ABI
