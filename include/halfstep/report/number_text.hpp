#pragma once

/// \file
/// Numbers as text, the same on every machine and in every locale.

#include "halfstep/config.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::report {

/// Whether `value` is neither infinite nor a NaN. Looks at the bits, so that `-ffast-math` cannot fold it to true.
[[nodiscard]] inline bool is_finite(double value) {
  constexpr std::uint64_t exponent = 0x7FF0'0000'0000'0000u;
  return (std::bit_cast<std::uint64_t>(value) & exponent) != exponent;
}

/// How digits are written.
enum class Notation {
  fixed,        ///< 0.00012 with 2 digits: 0.00
  significant,  ///< at most that many significant digits, exponent where it is shorter: 0.00012
  scientific,   ///< 1.20e-04
};

/// How the digits before the point are grouped.
enum class Grouping {
  none,      ///< 1234567
  thousands  ///< 1,234,567
};

/// A number's look.
struct NumberFormat {
  Notation notation = Notation::fixed;
  int digits = 2;  ///< after the point (significant: in all), 0..17
  Grouping grouping = Grouping::none;
};

/// Puts a comma between each three digits before the point of a number in fixed notation.
[[nodiscard]] inline std::string with_thousands(std::string number) {
  const std::size_t first = number.find_first_of("0123456789");
  if (first == std::string::npos || number.find('e') != std::string::npos) return number;
  std::size_t at = std::min(number.find('.'), number.size());
  while (at > first + 3) number.insert(at -= 3, ",");
  return number;
}

/// `value` in the given format; "nan", "inf" and "-inf" where it is not finite; a zero never has a sign. Rounds as
/// printf does: exact binary value, ties to even. Exact.
[[nodiscard]] inline std::string number_text(double value, const NumberFormat& format = {}) {
  if (!is_finite(value)) {
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    if ((bits & 0x000F'FFFF'FFFF'FFFFu) != 0) return "nan";
    return (bits >> 63) != 0 ? "-inf" : "inf";
  }
  const int digits = std::clamp(format.digits, 0, 17);
  const auto style = format.notation == Notation::fixed        ? std::chars_format::fixed
                     : format.notation == Notation::scientific ? std::chars_format::scientific
                                                               : std::chars_format::general;
  char buffer[352];  // the largest double has 309 digits before the point
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, value, style, digits);
  std::string text(buffer, written.ptr);
  const std::string_view mantissa = std::string_view(text).substr(0, text.find('e'));
  if (mantissa.front() == '-' && mantissa.find_first_of("123456789") == mantissa.npos) text.erase(0, 1);
  return format.grouping == Grouping::thousands ? with_thousands(std::move(text)) : text;
}

/// An integer in full; in fixed notation with the zeros after the point that the format asks for, so that it stands in
/// line with its neighbours in a column; in scientific notation as the nearest double. Exact otherwise.
[[nodiscard]] inline std::string number_text(std::int64_t value, const NumberFormat& format) {
  if (format.notation == Notation::scientific) return number_text(static_cast<double>(value), format);
  std::string text = std::to_string(value);
  if (format.notation == Notation::fixed && format.digits > 0) {
    text += "." + std::string(static_cast<std::size_t>(std::min(format.digits, 17)), '0');
  }
  return format.grouping == Grouping::thousands ? with_thousands(std::move(text)) : text;
}

/// A number for a sentence or a tooltip: at most `digits` significant digits.
[[nodiscard]] inline std::string short_number(double value, int digits = 4) {
  return number_text(value, {.notation = Notation::significant, .digits = digits});
}

/// `number` with the true minus sign (U+2212) for each hyphen, for drawn text.
[[nodiscard]] inline std::string with_minus_sign(std::string_view number) {
  std::string text;
  for (const char c : number) {
    if (c == '-') {
      text += "−";
    } else {
      text += c;
    }
  }
  return text;
}

/// 10 to the power `exponent` in small raised digits: 10⁻⁵.
[[nodiscard]] inline std::string power_of_ten(int exponent) {
  constexpr std::string_view raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = "10";
  for (const char c : std::to_string(exponent)) text += c == '-' ? std::string_view("⁻") : raised[c - '0'];
  return text;
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
