#include "halfstep/core/float8.hpp"

#include "support/catch.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>

namespace {

namespace hs = halfstep;

/// What the bit layout table says, in double: nothing for NaN, +-HUGE_VAL for infinity.
std::optional<double> table_value(unsigned code, int exponent_bits, int bias) {
  const int mantissa_bits = 7 - exponent_bits;
  const double sign = code >= 128 ? -1.0 : 1.0;
  const int e = static_cast<int>((code % 128) >> mantissa_bits);
  const int m = static_cast<int>(code % (1u << mantissa_bits));
  const double fraction = std::ldexp(static_cast<double>(m), -mantissa_bits);
  return sign * (e == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1.0 + fraction, e - bias));
}

std::optional<double> e4m3(unsigned code) {
  if (code == 0x7F || code == 0xFF) return std::nullopt;
  return table_value(code, 4, 7);
}

std::optional<double> e5m2(unsigned code) {
  const unsigned magnitude = code % 128;
  if (magnitude >= 0x7D) return std::nullopt;
  if (magnitude == 0x7C) return code >= 128 ? -HUGE_VAL : HUGE_VAL;
  return table_value(code, 5, 15);
}

std::optional<double> e4m3fnuz(unsigned code) {
  if (code == 0x80) return std::nullopt;
  return table_value(code, 4, 8);
}

std::optional<double> e5m2fnuz(unsigned code) {
  if (code == 0x80) return std::nullopt;
  return table_value(code, 5, 16);
}

std::optional<double> e8m0(unsigned code) {
  if (code == 0xFF) return std::nullopt;
  return std::ldexp(1.0, static_cast<int>(code) - 127);
}

/// Whether the bits of `value` are those of a NaN; works under -ffast-math too.
bool is_nan(float value) { return (std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu) > 0x7F800000u; }

template <class Decode, class Oracle>
void check_all_codes(Decode decode, Oracle oracle) {
  for (unsigned code = 0; code < 256; ++code) {
    CAPTURE(code);
    const float value = decode(static_cast<std::uint8_t>(code));
    const std::optional<double> expected = oracle(code);
    if (!expected) {
      CHECK(is_nan(value));
      continue;
    }
    // Through the bits, so that a zero of the wrong sign is seen; every expected value is a binary32 number.
    CHECK(std::bit_cast<std::uint64_t>(static_cast<double>(value)) == std::bit_cast<std::uint64_t>(*expected));
  }
}

}  // namespace

TEST_CASE("float8: all 256 codes of each format have the value of the layout table") {
  SECTION("E4M3") { check_all_codes(hs::decode_e4m3, e4m3); }
  SECTION("E5M2") { check_all_codes(hs::decode_e5m2, e5m2); }
  SECTION("E4M3FNUZ") { check_all_codes(hs::decode_e4m3fnuz, e4m3fnuz); }
  SECTION("E5M2FNUZ") { check_all_codes(hs::decode_e5m2fnuz, e5m2fnuz); }
  SECTION("E8M0") { check_all_codes(hs::decode_e8m0, e8m0); }
}

TEST_CASE("float8: spot values, at compile time") {
  static_assert(hs::decode_e4m3(0x00) == 0.0f);
  static_assert(hs::decode_e4m3(0x01) == 0.001953125f);
  static_assert(hs::decode_e4m3(0x07) == 0.013671875f);
  static_assert(hs::decode_e4m3(0x08) == 0.015625f);
  static_assert(hs::decode_e4m3(0x38) == 1.0f);
  static_assert(hs::decode_e4m3(0x3C) == 1.5f);
  static_assert(hs::decode_e4m3(0x7E) == 448.0f);
  static_assert(hs::decode_e4m3(0xB8) == -1.0f);
  static_assert(hs::decode_e4m3(0xFE) == -448.0f);
  static_assert(hs::decode_e5m2(0x7B) == 57344.0f);
  static_assert(hs::decode_e4m3fnuz(0x7F) == 240.0f);
  static_assert(hs::decode_e5m2fnuz(0x7F) == 57344.0f);
  static_assert(hs::decode_e8m0(127) == 1.0f);
  CHECK(std::bit_cast<std::uint32_t>(hs::decode_e8m0(0)) == 0x00400000u);  // 2^-127
}

TEST_CASE("float8: a NaN keeps the sign of its code") {
  CHECK(std::bit_cast<std::uint32_t>(hs::decode_e4m3(0x7F)) == 0x7FC00000u);
  CHECK(std::bit_cast<std::uint32_t>(hs::decode_e4m3(0xFF)) == 0xFFC00000u);
  CHECK(std::bit_cast<std::uint32_t>(hs::decode_e5m2(0x7D)) == 0x7FC00000u);
  CHECK(std::bit_cast<std::uint32_t>(hs::decode_e5m2(0xFE)) == 0xFFC00000u);
}
