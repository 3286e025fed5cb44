#pragma once

/// \file
/// Markup (HTML, SVG) that is well formed by construction: every text escaped, every element closed.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/number_text.hpp"
#include "halfstep/report/utf8.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// `text` for the content of an element or the value of an attribute: `& < > " '` as entities; characters that XML does
/// not allow, and bytes that are not UTF-8, as U+FFFD. Line feeds and tabs stay.
[[nodiscard]] inline std::string escape_markup(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 8);
  for_each_code_point(text, [&](CodePoint point, std::string_view) {
    switch (point.value) {
      case U'&':
        escaped += "&amp;";
        return;
      case U'<':
        escaped += "&lt;";
        return;
      case U'>':
        escaped += "&gt;";
        return;
      case U'"':
        escaped += "&quot;";
        return;
      case U'\'':
        escaped += "&#39;";
        return;
      default:
        break;
    }
    const bool kept = point.value == U'\n' || point.value == U'\t' || !is_control(point.value);
    const bool allowed = kept && point.value != 0xFFFE && point.value != 0xFFFF;
    append_utf8(escaped, allowed ? point.value : replacement_character);
  });
  return escaped;
}

/// A coordinate or length in pixels: at most two digits after the point, none that are zero. A value that is not finite
/// would void the whole drawing, so it is written as 0.
[[nodiscard]] inline std::string coordinate(double value) {
  if (!is_finite(value)) return "0";
  std::string text = number_text(value, {.digits = 2});
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

/// Name and value of an attribute; the value is plain text or a coordinate.
struct Attribute {
  Attribute(std::string_view name_, std::string_view value_) : name(name_), value(value_) {}
  Attribute(std::string_view name_, double value_) : name(name_), value(coordinate(value_)) {}

  std::string name;
  std::string value;
};

/// Writes elements one after another. Names of elements and attributes are the caller's constants; everything else is
/// escaped, but for `raw`.
class MarkupWriter {
 public:
  using Attributes = std::initializer_list<Attribute>;

  /// Starts an element; what follows goes into it until `close`.
  MarkupWriter& open(std::string_view name, Attributes attributes = {}) {
    start(name, attributes);
    text_ += '>';
    open_.emplace_back(name);
    return *this;
  }

  /// Ends the innermost open element. Error: none is open.
  MarkupWriter& close() {
    if (open_.empty()) raise("report::MarkupWriter::close", "no element is open");
    text_ += "</" + open_.back() + ">";
    open_.pop_back();
    return *this;
  }

  /// An element without content.
  MarkupWriter& leaf(std::string_view name, Attributes attributes = {}) {
    start(name, attributes);
    text_ += "/>";
    return *this;
  }

  /// An element that holds one text.
  MarkupWriter& element(std::string_view name, Attributes attributes, std::string_view content) {
    return open(name, attributes).text(content).close();
  }

  /// Text, escaped.
  MarkupWriter& text(std::string_view content) { return raw(escape_markup(content)); }

  /// Markup that is well formed already.
  MarkupWriter& raw(std::string_view markup) {
    text_ += markup;
    return *this;
  }

  /// Starts a new line, for people who read the source.
  MarkupWriter& new_line() { return raw("\n"); }

  /// Closes what is open and hands over what was written.
  [[nodiscard]] std::string take() {
    while (!open_.empty()) close();
    return std::exchange(text_, {});
  }

 private:
  void start(std::string_view name, Attributes attributes) {
    text_ += '<';
    text_ += name;
    for (const Attribute& attribute : attributes) {
      text_ += " " + attribute.name + "=\"" + escape_markup(attribute.value) + "\"";
    }
  }

  std::string text_;
  std::vector<std::string> open_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::report
