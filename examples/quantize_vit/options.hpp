#pragma once

/// \file
/// The command line.

#include <halfstep/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "methods.hpp"
#include "support/lists.hpp"

namespace quantize_vit {

/// A method and its settings.
struct MethodRun {
  std::string id;
  std::vector<Bits> bits;
};

struct Options {
  std::string model, eval;
  std::vector<MethodRun> methods;
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

/// Methods by id, each with the settings of `bits`, or with one of its own: `composed@avg3`. Of all methods those that
/// have a setting are taken; one that is named must. Errors: an id that is none, a method that has none of its
/// settings.
inline std::vector<MethodRun> parse_methods(const std::string& list, const std::vector<Bits>& bits) {
  std::vector<MethodRun> runs;
  const auto parts = list == "all" ? method_ids() : example_support::split("quantize_vit", "--methods", list);
  for (const std::string& part : parts) {
    const std::size_t at = std::min(part.find('@'), part.size());
    const std::string id = part.substr(0, at);
    static_cast<void>(example_support::split_known("quantize_vit", "--methods", id, method_ids()));
    MethodRun run{id, {}};
    const std::vector<Bits> wanted = at < part.size() ? std::vector<Bits>{parse_bits(part.substr(at + 1))} : bits;
    std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(run.bits),
                 [&](const Bits& b) { return takes(id, b); });
    if (!run.bits.empty()) {
      runs.push_back(std::move(run));
    } else if (list != "all") {
      halfstep::raise("quantize_vit", "method \"", id, "\" takes none of the widths of --bits");
    }
  }
  return runs;
}

}  // namespace quantize_vit
