#pragma once

/// \file
/// Is this text UTF-8?

#include "halfstep/config.hpp"

#include <cstddef>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// The number of bytes of the UTF-8 character at the beginning of `text`, which is not empty; 0 if it is malformed: a
/// stray or missing continuation byte, an overlong form, a surrogate, a value above U+10FFFF.
/// Source: Unicode Standard, table 3-7 (well-formed byte sequences).
[[nodiscard]] constexpr std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  // Only the second byte has a range of its own, which excludes overlong forms, surrogates and too large values.
  const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return 0;
  }
  return length;
}

/// The position of the first byte that is not UTF-8; `std::string_view::npos` if all of `text` is.
[[nodiscard]] constexpr std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace halfstep::inline HALFSTEP_ABI
