#include "halfstep/core/float16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

/// The value of a 16-bit float of `exponent_bits` by its definition.
double value_of(std::uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias));
}

bool same_float(float a, double b) {
  if (std::isnan(b)) return std::isnan(a);
  return static_cast<double>(a) == b && std::signbit(a) == std::signbit(b);
}

/// The 16-bit pattern nearest to x, ties to the even one, found by search over all of one sign.
std::uint16_t nearest(float x, int exponent_bits) {
  const std::uint16_t infinity = static_cast<std::uint16_t>(((1 << exponent_bits) - 1) << (15 - exponent_bits));
  const double magnitude = std::fabs(static_cast<double>(x));
  std::uint16_t low = 0, high = infinity;  // patterns order like values
  while (low + 1 < high) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (value_of(middle, exponent_bits) <= magnitude ? low : high) = middle;
  }
  // Above the largest finite number the next "value" is what the format would have there: the rule of rounding.
  const double below = value_of(low, exponent_bits);
  const double above = high == infinity ? 2 * below - value_of(static_cast<std::uint16_t>(low - 1), exponent_bits)
                                        : value_of(high, exponent_bits);
  std::uint16_t result = low;
  if (magnitude - below > above - magnitude) result = high;
  if (magnitude - below == above - magnitude && low % 2 != 0) result = high;
  return static_cast<std::uint16_t>(result | (std::signbit(x) ? 0x8000 : 0));
}

}  // namespace

TEST_CASE("all F16 and BF16 patterns become the float they stand for", "[float16]") {
  int wrong_half = 0, wrong_bfloat = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    if (!same_float(hs::to_float(hs::Half{pattern}), value_of(pattern, 5))) ++wrong_half;
    if (!same_float(hs::to_float(hs::BFloat16{pattern}), value_of(pattern, 8))) ++wrong_bfloat;
  }
  CHECK(wrong_half == 0);
  CHECK(wrong_bfloat == 0);
}

TEST_CASE("every F16 and BF16 pattern comes back from its float", "[float16]") {
  int wrong_half = 0, wrong_bfloat = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const hs::Half half = hs::half_from_float(hs::to_float(hs::Half{pattern}));
    const hs::BFloat16 bfloat = hs::bfloat16_from_float(hs::to_float(hs::BFloat16{pattern}));
    const bool half_is_nan = (bits & 0x7fff) > 0x7c00, bfloat_is_nan = (bits & 0x7fff) > 0x7f80;
    // A NaN comes back as a quiet one, with its sign and payload.
    if (half.bits != (half_is_nan ? pattern | 0x0200 : pattern)) ++wrong_half;
    if (bfloat.bits != (bfloat_is_nan ? pattern | 0x0040 : pattern)) ++wrong_bfloat;
  }
  CHECK(wrong_half == 0);
  CHECK(wrong_bfloat == 0);
}

TEST_CASE("floats round to the nearest 16-bit float, ties to even", "[float16]") {
  int wrong_half = 0, wrong_bfloat = 0;
  const auto check = [&](float x) {
    if (std::isnan(x)) return;
    if (!std::isinf(x)) {
      if (hs::half_from_float(x).bits != nearest(x, 5)) ++wrong_half;
      if (hs::bfloat16_from_float(x).bits != nearest(x, 8)) ++wrong_bfloat;
    }
  };
  // Between all neighbours: the middle, and the floats on either side of it.
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const double a = value_of(static_cast<std::uint16_t>(bits), 5);
    const double b = bits == 0x7bff ? 65536 : value_of(static_cast<std::uint16_t>(bits + 1), 5);
    const auto middle = static_cast<float>((a + b) / 2);  // exact
    for (const float x : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)}) {
      check(x);
      check(-x);
    }
  }
  std::mt19937 generator(7);
  for (int i = 0; i < 200000; ++i) check(std::bit_cast<float>(static_cast<std::uint32_t>(generator())));
  CHECK(wrong_half == 0);
  CHECK(wrong_bfloat == 0);

  CHECK(hs::half_from_float(65519.996f).bits == 0x7bff);
  CHECK(hs::half_from_float(65520.0f).bits == 0x7c00);
  CHECK(hs::half_from_float(-1e30f).bits == 0xfc00);
  CHECK(hs::half_from_float(std::numeric_limits<float>::infinity()).bits == 0x7c00);
  CHECK(hs::bfloat16_from_float(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(hs::bfloat16_from_float(-std::numeric_limits<float>::infinity()).bits == 0xff80);
  CHECK((hs::half_from_float(std::numeric_limits<float>::quiet_NaN()).bits & 0x7fff) > 0x7c00);
  CHECK((hs::bfloat16_from_float(std::numeric_limits<float>::quiet_NaN()).bits & 0x7fff) > 0x7f80);
}

TEST_CASE("conversions are constant expressions", "[float16]") {
  STATIC_REQUIRE(hs::to_float(hs::Half{0x3c00}) == 1.0f);
  STATIC_REQUIRE(hs::to_float(hs::Half{0x0001}) == 0x1p-24f);
  STATIC_REQUIRE(hs::to_float(hs::BFloat16{0xc000}) == -2.0f);
  STATIC_REQUIRE(hs::half_from_float(0x1p-24f) == hs::Half{0x0001});
  STATIC_REQUIRE(hs::half_from_float(0x1p-25f) == hs::Half{0x0000});
  STATIC_REQUIRE(hs::bfloat16_from_float(1.0f) == hs::BFloat16{0x3f80});
}
