#pragma once

/// \file
/// The command line.

#include <halfstep/core/error.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "methods.hpp"
#include "support/lists.hpp"

namespace quantize_vit {

struct Options {
  std::string model, eval;
  std::vector<std::string> methods;
  std::vector<Bits> bits;
  std::uint64_t seed = 0;
  int threads = 1;
  int test_images = 0;  ///< 0: all
  std::string json, report;
};

/// `w4a8` and the like, or `avg3`: 2 to 8. Error: anything else.
inline Bits parse_bits(const std::string& text) {
  if (text.size() == 4 && text.starts_with("avg") && text[3] >= '2' && text[3] <= '8') {
    return {.average = static_cast<double>(text[3] - '0')};
  }
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '2' && text[i] <= '8' ? text[i] - '0' : 0;
  };
  if (text.size() != 4 || text[0] != 'w' || text[2] != 'a' || digit(1) == 0 || digit(3) == 0) {
    halfstep::raise("quantize_vit", "--bits has \"", text, "\", expected w<2-8>a<2-8> such as w4a8, avg<2-8>, or all");
  }
  return {digit(1), digit(3)};
}

inline std::vector<Bits> parse_bits_list(const std::string& list) {
  std::vector<Bits> bits;
  for (const std::string& part :
       example_support::split("quantize_vit", "--bits", list == "all" ? "w8a8,w6a6,w4a4,w3a3,avg5,avg4,avg3" : list)) {
    bits.push_back(parse_bits(part));
  }
  return bits;
}

/// Methods by id. Of all those that have one of the settings are taken; one that is named must. Errors: an id that is
/// none, a method that has none of the settings.
inline std::vector<std::string> parse_methods(const std::string& list, const std::vector<Bits>& bits) {
  std::vector<std::string> taken;
  for (const std::string& id : example_support::split_known("quantize_vit", "--methods", list, method_ids())) {
    if (std::any_of(bits.begin(), bits.end(), [&](const Bits& b) { return takes(id, b); })) {
      taken.push_back(id);
    } else if (list != "all") {
      halfstep::raise("quantize_vit", "method \"", id, "\" takes none of the widths of --bits");
    }
  }
  return taken;
}

}  // namespace quantize_vit
