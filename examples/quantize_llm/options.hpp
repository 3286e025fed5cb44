#pragma once

/// \file
/// The command line.

#include <halfstep/core/error.hpp>
#include <halfstep/core/matrix_view.hpp>
#include <halfstep/recipes/input_scale.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/lists.hpp"

namespace quantize_llm {

namespace hs = halfstep;
using hs::Index;

/// Bits of activations that stay float, as tables and JSON have them.
inline constexpr int float_bits = 16;

/// One line of the table, but for its method.
struct Setting {
  int weight_bits = 4;
  int activation_bits = float_bits;
  hs::InputScale scale = hs::InputScale::none;  ///< none with `float_bits`, and only then
  Index group = 0;                              ///< inputs that share a weight's parameters; 0: all of a row

  friend bool operator==(const Setting&, const Setting&) = default;
};

struct Options {
  std::string model, eval;
  std::vector<std::string> methods;
  bool takes_all_methods = false;  ///< those without a setting among `settings` are left out, not refused
  std::vector<Setting> settings;
  std::uint64_t seed = 0;
  int threads = 1;
  int calibration_sequences = 0;  ///< 0: all
  int test_sequences = 0;         ///< 0: all
  std::string json, report;
};

/// `w4a8`, `w4` (activations stay float), `w3g64` (groups of 64 inputs) and the like, once for each of `scales` where
/// activations become codes. Error: anything else.
inline std::vector<Setting> parse_setting(const std::string& text, const std::vector<hs::InputScale>& scales) {
  std::string_view rest = text;
  const auto fail = [&] {
    hs::raise("quantize_llm", "--bits has \"", text,
              "\", expected w<2-8>, then a<2-8> or a16 (floats, as without it), then g<group>, such as w4a8 or w3g64");
  };
  const auto number_after = [&](char letter, int least, int most) {
    int value = 0;
    if (rest.empty() || rest[0] != letter) fail();
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), value);
    if (error != std::errc() || value < least || value > most) fail();
    rest = rest.substr(static_cast<std::size_t>(end - rest.data()));
    return value;
  };
  Setting setting;
  setting.weight_bits = number_after('w', 2, 8);
  if (!rest.empty() && rest[0] == 'a') setting.activation_bits = number_after('a', 2, float_bits);
  if (!rest.empty()) setting.group = number_after('g', 1, 1 << 20);
  if (!rest.empty() || (setting.activation_bits > 8 && setting.activation_bits != float_bits)) fail();
  if (setting.activation_bits == float_bits) return {setting};
  std::vector<Setting> settings;
  for (const hs::InputScale scale : scales) {
    setting.scale = scale;
    settings.push_back(setting);
  }
  return settings;
}

inline std::vector<hs::InputScale> parse_scales(const std::string& list) {
  std::vector<hs::InputScale> scales;
  for (const std::string& name : example_support::split_known("quantize_llm", "--scales", list, {"token", "tensor"})) {
    scales.push_back(name == "token" ? hs::InputScale::token : hs::InputScale::tensor);
  }
  return scales;
}

inline std::vector<Setting> parse_settings(const std::string& bits, const std::vector<hs::InputScale>& scales) {
  const std::string all = "w8a8,w6a6,w4a8,w4,w4g128,w4g64,w4g32,w3,w3g128,w3g64,w3g32,w2,w2g128,w2g64,w2g32,w4a4";
  std::vector<Setting> settings;
  for (const std::string& part : example_support::split("quantize_llm", "--bits", bits == "all" ? all : bits)) {
    for (const Setting& setting : parse_setting(part, scales)) settings.push_back(setting);
  }
  return settings;
}

}  // namespace quantize_llm
