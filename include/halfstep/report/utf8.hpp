#pragma once

/// \file
/// UTF-8 text as a terminal and a document see it: characters, the columns they take, and what cannot be shown.

#include "halfstep/config.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::report {

/// The character that stands for bytes that are not UTF-8.
inline constexpr char32_t replacement_character = 0xFFFD;

/// A character and the bytes it was read from.
struct CodePoint {
  char32_t value = replacement_character;
  std::size_t bytes = 1;
};

/// Reads the first character of `text`, which is not empty. Malformed input (a stray or missing continuation byte, an
/// overlong form, a surrogate, a value above U+10FFFF) reads as one byte of `replacement_character`. Exact.
[[nodiscard]] inline CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  char32_t value = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < least[bytes] || surrogate || value > 0x10FFFF) return {};
  return {value, bytes};
}

/// Calls `visit(CodePoint, std::string_view bytes)` for each character of `text`, in order.
template <class Visit>
void for_each_code_point(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    visit(point, text.substr(0, point.bytes));
    text.remove_prefix(point.bytes);
  }
}

/// A closed interval of characters.
struct CodePointRange {
  char32_t first, last;
};

/// Whether `value` lies in one of the `ranges`, which are few: a plain search.
template <std::size_t N>
[[nodiscard]] constexpr bool contains(const std::array<CodePointRange, N>& ranges, char32_t value) {
  for (const CodePointRange& range : ranges) {
    if (value >= range.first && value <= range.last) return true;
  }
  return false;
}

/// Marks that are drawn over their neighbour, joiners and variation selectors (Unicode 15, the common scripts).
inline constexpr std::array<CodePointRange, 21> zero_width_characters{{
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x06D6, 0x06DC},
    {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
    {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064},
    {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
}};

/// East Asian wide and full-width characters, and emoji (Unicode 15).
inline constexpr std::array<CodePointRange, 22> double_width_characters{{
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x26A1, 0x26A1},   {0x2705, 0x2705},   {0x274C, 0x274C},
    {0x2753, 0x2757},   {0x2B50, 0x2B50},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
    {0x4E00, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF},
    {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
}};

/// Whether `value` is a control character: C0, delete or C1.
[[nodiscard]] constexpr bool is_control(char32_t value) { return value < 0x20 || (value >= 0x7F && value < 0xA0); }

/// The columns that a terminal gives to one character: 0, 1 or 2. Control characters count as none.
[[nodiscard]] constexpr std::int64_t columns_of(char32_t value) {
  if (is_control(value) || contains(zero_width_characters, value)) return 0;
  return contains(double_width_characters, value) ? 2 : 1;
}

/// The columns that a terminal gives to `text` on one line.
[[nodiscard]] inline std::int64_t display_width(std::string_view text) {
  std::int64_t width = 0;
  for_each_code_point(text, [&](CodePoint point, std::string_view) { width += columns_of(point.value); });
  return width;
}

/// Appends `value` in UTF-8.
inline void append_utf8(std::string& text, char32_t value) {
  const auto push = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (value < 0x80) return push(value);
  if (value < 0x800) {
    push(0xC0 | (value >> 6));
  } else {
    if (value < 0x10000) {
      push(0xE0 | (value >> 12));
    } else {
      push(0xF0 | (value >> 18));
      push(0x80 | ((value >> 12) & 0x3F));
    }
    push(0x80 | ((value >> 6) & 0x3F));
  }
  push(0x80 | (value & 0x3F));
}

/// `text` as one line of valid UTF-8: a space for each control character (an escape sequence of a file's tensor name
/// cannot reach the terminal), `replacement_character` for each malformed byte.
[[nodiscard]] inline std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for_each_code_point(text, [&](CodePoint point, std::string_view) {
    append_utf8(line, is_control(point.value) ? U' ' : point.value);
  });
  return line;
}

/// `text` if it fits into `columns` columns, else its beginning and an ellipsis, together at most that wide. Never cuts
/// a character apart.
[[nodiscard]] inline std::string shorten(std::string_view text, std::int64_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::string start;
  std::int64_t width = 0;
  bool full = columns < 1;
  for_each_code_point(text, [&](CodePoint point, std::string_view bytes) {
    width += columns_of(point.value);
    full = full || width > columns - 1;
    if (!full) start += bytes;
  });
  return columns < 1 ? start : start + "…";
}

/// `text` and as many spaces as bring it to `columns` columns.
[[nodiscard]] inline std::string padded(std::string_view text, std::int64_t columns) {
  const std::int64_t missing = columns - display_width(text);
  return std::string(text) + std::string(static_cast<std::size_t>(missing > 0 ? missing : 0), ' ');
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
