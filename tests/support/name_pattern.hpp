#pragma once

/// \file
/// Names of tensors by pattern.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep_tests {

/// What a `*` of a pattern stands for.
enum class Star {
  part,      ///< one or more characters other than a dot: a part of one component of a name
  anything,  ///< any characters, or none
};

/// What the stars of `pattern` stand for in `name`, in order (the shortest that fit); nothing if it does not match.
inline std::optional<std::vector<std::string>> match_name(std::string_view pattern, std::string_view name, Star star) {
  const std::size_t literal = std::min(pattern.find('*'), pattern.size());
  if (name.substr(0, literal) != pattern.substr(0, literal)) return std::nullopt;
  pattern.remove_prefix(literal);
  name.remove_prefix(literal);
  if (pattern.empty()) return name.empty() ? std::optional(std::vector<std::string>()) : std::nullopt;
  pattern.remove_prefix(1);
  for (std::size_t length = star == Star::part ? 1 : 0; length <= name.size(); ++length) {
    if (star == Star::part && name[length - 1] == '.') return std::nullopt;
    if (auto rest = match_name(pattern, name.substr(length), star)) {
      rest->insert(rest->begin(), std::string(name.substr(0, length)));
      return rest;
    }
  }
  return std::nullopt;
}

/// Whether `a` comes before `b` when runs of digits count as numbers: "b2" before "b10".
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  while (!a.empty() && !b.empty()) {
    if (is_digit(a[0]) && is_digit(b[0])) {
      const auto run = [&](std::string_view& text) {
        std::size_t end = 0;
        while (end < text.size() && is_digit(text[end])) ++end;
        std::string_view digits = text.substr(0, end);
        text.remove_prefix(end);
        digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
        return digits;
      };
      const std::string_view x = run(a), y = run(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[0] != b[0]) return a[0] < b[0];
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.empty() && !b.empty();
}

}  // namespace halfstep_tests
