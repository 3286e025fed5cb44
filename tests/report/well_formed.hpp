#pragma once

/// \file
/// A small judge of markup: one root, tags that balance, attributes that are quoted and differ, entities that exist;
/// and drawings that stay inside their view.

#include <array>
#include <cstddef>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep_tests {

/// How often `part` occurs in `text`.
inline std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

/// One start tag.
struct Element {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;

  [[nodiscard]] std::string attribute(std::string_view wanted) const {
    for (const auto& [key, value] : attributes) {
      if (key == wanted) return value;
    }
    return {};
  }
};

/// Reads markup; `error` is empty if it is well formed, else it says what is wrong.
class MarkupReader {
 public:
  explicit MarkupReader(std::string_view text) : text_(text) {
    if (text_.substr(0, 16) == "<!DOCTYPE html>\n") at_ = 16;
    while (at_ < text_.size() && error.empty()) text_[at_] == '<' ? tag() : character();
    if (error.empty() && !open_.empty()) fail("never closed: " + open_.back());
    if (error.empty() && roots_ != 1) fail("expected one root");
  }

  std::string error;
  std::vector<Element> elements;

 private:
  void fail(const std::string& what) {
    if (error.empty()) error = what + " near: " + std::string(text_.substr(at_ < 40 ? 0 : at_ - 40, 100));
  }

  void character() {
    if (text_[at_] == '&') entity();
    if (text_[at_] == '>') fail("raw >");
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte < 0x20 && byte != '\n' && byte != '\t') fail("control character");
    if (open_.empty() && byte > ' ') fail("text outside the root");
    ++at_;
  }

  void entity() {
    constexpr std::array<std::string_view, 5> known{"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (const std::string_view name : known) {
      if (text_.substr(at_, name.size()) == name) {
        at_ += name.size() - 1;
        return;
      }
    }
    fail("unknown entity");
  }

  std::string word() {
    const std::size_t start = at_;
    while (at_ < text_.size() && std::string_view(" />=\n\"<").find(text_[at_]) == std::string_view::npos) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  bool take(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  void tag() {
    if (take("</")) {
      const std::string name = word();
      if (open_.empty() || open_.back() != name) return fail("unexpected end of " + name);
      open_.pop_back();
      if (!take(">")) fail("end tag");
      return;
    }
    ++at_;
    Element element{word(), {}};
    if (element.name.empty()) return fail("no name");
    while (error.empty() && take(" ")) attribute(element);
    if (open_.empty()) ++roots_;
    if (!take("/>")) {
      if (!take(">")) return fail("start tag");
      open_.push_back(element.name);
      if (element.name == "style") skip_style();
    }
    elements.push_back(std::move(element));
  }

  void attribute(Element& element) {
    const std::string name = word();
    if (name.empty() || !take("=\"")) return fail("attribute");
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '<') return fail("raw < in attribute");
      if (text_[at_] == '&') entity();
      ++at_;
    }
    const std::string value(text_.substr(start, at_ - start));
    if (!take("\"")) return fail("attribute without end");
    if (!element.attribute(name).empty()) return fail("attribute twice: " + name);
    element.attributes.emplace_back(name, value);
  }

  /// CSS is text; it has no markup of its own, and its braces balance.
  void skip_style() {
    const std::size_t end = text_.find("</style>", at_);
    if (end == text_.npos) return fail("style without end");
    const std::string_view css = text_.substr(at_, end - at_);
    if (css.find_first_of("<&") != css.npos) fail("markup in style");
    if (count_of(css, "{") != count_of(css, "}")) fail("braces of the style");
    at_ = end;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t roots_ = 0;
  std::vector<std::string> open_;
};

/// Empty if `text` is well formed, else what is wrong with it.
inline std::string markup_error(std::string_view text) { return MarkupReader(text).error; }

/// Empty if every coordinate of an `svg` lies within its width and height, else the element and the number.
inline std::string outside_view(std::string_view svg) {
  const MarkupReader reader(svg);
  if (!reader.error.empty()) return reader.error;
  const auto number = [](const std::string& text) { return std::strtod(text.c_str(), nullptr); };
  const double width = number(reader.elements.at(0).attribute("width"));
  const double height = number(reader.elements.at(0).attribute("height"));
  for (const Element& element : reader.elements) {
    for (const auto& [name, value] : element.attributes) {
      const bool across = name == "x" || name == "x1" || name == "x2" || name == "cx";
      const bool down = name == "y" || name == "y1" || name == "y2" || name == "cy";
      const double n = number(value);
      if ((across || down) && !(n >= 0 && n <= (across ? width : height)))
        return element.name + " " + name + "=" + value;
    }
    if (element.name != "rect") continue;
    const double right = number(element.attribute("x")) + number(element.attribute("width"));
    const double bottom = number(element.attribute("y")) + number(element.attribute("height"));
    if (right > width || bottom > height) return "rect reaches " + std::to_string(right) + "," + std::to_string(bottom);
  }
  return {};
}

/// Whether `text` refers to anything outside itself.
inline bool refers_outside(std::string_view text) {
  const std::string_view name_space = "http://www.w3.org/2000/svg";
  if (count_of(text, "://") != count_of(text, name_space)) return true;
  for (const std::string_view part : {"<script", "<link", "<img", "@import", "url(", "src="}) {
    if (contains(text, part)) return true;
  }
  return false;
}

}  // namespace halfstep_tests
