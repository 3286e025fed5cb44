#pragma once

/// \file
/// How wide a text will be when it is drawn, and how to make it fit: an SVG cannot measure its text.

#include "halfstep/config.hpp"
#include "halfstep/report/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// The width of `text` in pixels at this font size, from above for the usual fonts: the advances of DejaVu Sans, the
/// widest of them, by kind of character.
[[nodiscard]] inline double text_width(std::string_view text, double font_size = 12) {
  double em = 0;
  for_each_code_point(text, [&](CodePoint point, std::string_view) {
    const char32_t c = point.value;
    const auto in = [&](std::u32string_view set) { return set.find(c) != set.npos; };
    if (columns_of(c) != 1) {
      em += 1.0 * static_cast<double>(columns_of(c)) / 2;
    } else if (in(U"ijl.,:;'|!I ·")) {
      em += 0.33;
    } else if (in(U"ftr()[]-/\"⁰¹²³⁴⁵⁶⁷⁸⁹⁻")) {
      em += 0.42;
    } else if (in(U"mwMW@%")) {
      em += 0.97;
    } else {
      em += c >= U'A' && c <= U'Z' ? 0.69 : 0.62;
    }
  });
  return em * font_size;
}

/// The greatest width among `text_of(item)` of the items; 0 where there are none.
template <class Items, class TextOf>
[[nodiscard]] double widest_text(const Items& items, TextOf&& text_of, double font_size = 12) {
  double width = 0;
  for (const auto& item : items) width = std::max(width, text_width(text_of(item), font_size));
  return width;
}

/// `text` if it is at most `width` pixels wide, else its beginning and an ellipsis.
[[nodiscard]] inline std::string fitted_text(std::string_view text, double width, double font_size = 12) {
  std::string fitted = one_line(text);
  for (std::int64_t columns = display_width(fitted) - 1; columns > 0 && text_width(fitted, font_size) > width;) {
    fitted = shorten(one_line(text), columns--);
  }
  return fitted;
}

/// `text` in lines of at most `width` pixels, broken at spaces; a word that is wider alone is cut.
[[nodiscard]] inline std::vector<std::string> wrapped_text(std::string_view text, double width, double font_size = 12) {
  std::vector<std::string> lines(1);
  const std::string whole = one_line(text);
  for (std::string_view rest = whole; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string word = fitted_text(rest.substr(0, end), width, font_size);
    const std::string longer = lines.back().empty() ? word : lines.back() + " " + word;
    if (lines.back().empty() || text_width(longer, font_size) <= width) {
      lines.back() = longer;
    } else {
      lines.push_back(word);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
