#pragma once

/// \file
/// The command line.

#include <halfstep/core/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quantize_vit {

/// Widths of one setting, such as w4a8.
struct Bits {
  int weight = 8;
  int activation = 8;
};

struct Options {
  std::string model, eval;
  std::vector<std::string> methods;
  std::vector<Bits> bits;
  std::uint64_t seed = 0;
  int threads = 1;
  int test_images = 0;  ///< 0: all
  std::string json, report;
};

/// Every method there is.
inline const std::vector<std::string>& all_methods() {
  static const std::vector<std::string> methods{"min-max"};
  return methods;
}

/// The parts of `list` between commas. Error: an empty part.
inline std::vector<std::string> split(const std::string& option, const std::string& list) {
  std::vector<std::string> parts{""};
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  for (const std::string& part : parts) {
    if (part.empty()) halfstep::raise("quantize_vit", option, " is \"", list, "\", expected names separated by commas");
  }
  return parts;
}

/// `w4a8` and the like. Error: anything else.
inline Bits parse_bits(const std::string& text) {
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '2' && text[i] <= '8' ? text[i] - '0' : 0;
  };
  if (text.size() != 4 || text[0] != 'w' || text[2] != 'a' || digit(1) == 0 || digit(3) == 0) {
    halfstep::raise("quantize_vit", "--bits has \"", text, "\", expected w<2-8>a<2-8> such as w4a8, or all");
  }
  return {digit(1), digit(3)};
}

inline std::vector<Bits> parse_bits_list(const std::string& list) {
  std::vector<Bits> bits;
  for (const std::string& part : split("--bits", list == "all" ? "w8a8,w6a6,w4a8,w4a4,w3a3" : list)) {
    bits.push_back(parse_bits(part));
  }
  return bits;
}

inline std::vector<std::string> parse_methods(const std::string& list) {
  if (list == "all") return all_methods();
  std::vector<std::string> methods = split("--methods", list);
  for (const std::string& method : methods) {
    bool known = false;
    std::string names;
    for (const std::string& name : all_methods()) {
      known = known || name == method;
      names += (names.empty() ? "" : ", ") + name;
    }
    if (!known) halfstep::raise("quantize_vit", "--methods has \"", method, "\", expected some of ", names, ", or all");
  }
  return methods;
}

}  // namespace quantize_vit
