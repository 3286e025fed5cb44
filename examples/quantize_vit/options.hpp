#pragma once

/// \file
/// The command line.

#include <halfstep/core/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "methods.hpp"
#include "support/lists.hpp"

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
  for (const std::string& part :
       example_support::split("quantize_vit", "--bits", list == "all" ? "w8a8,w6a6,w4a4,w3a3" : list)) {
    bits.push_back(parse_bits(part));
  }
  return bits;
}

inline std::vector<std::string> parse_methods(const std::string& list) {
  return example_support::split_known("quantize_vit", "--methods", list, method_ids());
}

}  // namespace quantize_vit
