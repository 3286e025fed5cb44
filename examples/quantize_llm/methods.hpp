#pragma once

/// \file
/// Every method there is: its name, the settings that it takes, and the recipe behind it.

#include <halfstep/core/executor.hpp>
#include <halfstep/core/tiling.hpp>
#include <halfstep/layers/float_product.hpp>
#include <halfstep/models/language_model.hpp>
#include <halfstep/models/tokens.hpp>
#include <halfstep/recipes/gptq.hpp>
#include <halfstep/recipes/llm_int8.hpp>
#include <halfstep/recipes/nearest_llama.hpp>
#include <halfstep/recipes/quantized_model.hpp>

#include <optional>
#include <string>
#include <vector>

#include "options.hpp"

namespace quantize_llm {

/// What a recipe is given, beside its setting.
struct RecipeInput {
  const hs::Llama& model;
  hs::TokenView calibration;
  hs::FloatProduct product;
  hs::ExecutorRef executor;
};

/// One method. `take` gives the setting that it makes of one that was asked for, or nothing where it has none.
struct Method {
  std::string name;
  std::string takes;  ///< for messages
  std::optional<Setting> (*take)(const Setting&);
  hs::QuantizedLlama (*quantize)(const RecipeInput&, const Setting&);
};

inline hs::Tiling weight_tiling(const Setting& setting) {
  return setting.group == 0 ? hs::per_row() : hs::per_group(setting.group);
}

inline hs::QuantizedLlama quantize_nearest(const RecipeInput& input, const Setting& setting) {
  return hs::recipes::nearest(input.model, input.calibration,
                              {.weight_bits = setting.weight_bits,
                               .weight_tiling = weight_tiling(setting),
                               .activation_bits = setting.activation_bits,
                               .input_scale = setting.scale,
                               .float_product = input.product,
                               .executor = input.executor});
}

/// GPTQ at a setting, its rounding as published but for act-order, static groups and the guard of rows.
inline hs::recipes::GptqLlamaOptions gptq_options(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options{.weight_bits = setting.weight_bits,
                                        .activation_bits = setting.activation_bits,
                                        .input_scale = setting.scale,
                                        .float_product = input.product,
                                        .executor = input.executor};
  options.rounding.group_size = setting.group;
  return options;
}

inline hs::QuantizedLlama quantize_gptq(const RecipeInput& input, const Setting& setting) {
  return hs::recipes::gptq(input.model, input.calibration, gptq_options(input, setting));
}

inline hs::QuantizedLlama quantize_gptq_file_order(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options = gptq_options(input, setting);
  options.rounding.act_order = false;
  return hs::recipes::gptq(input.model, input.calibration, options);
}

inline hs::QuantizedLlama quantize_gptq_mse(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options = gptq_options(input, setting);
  options.rounding.range = hs::GridRange::mse;
  return hs::recipes::gptq(input.model, input.calibration, options);
}

/// Ranges by GPTQ's own objective, three sweeps of coordinate descent, the float model's outputs as the target.
inline hs::QuantizedLlama quantize_gptq_search(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options = gptq_options(input, setting);
  options.rounding.range = hs::GridRange::objective;
  options.rounding.descent_sweeps = 3;
  options.float_path = hs::FloatPath::kept;
  return hs::recipes::gptq(input.model, input.calibration, options);
}

inline hs::QuantizedLlama quantize_gptaq(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options = gptq_options(input, setting);
  options.rounding.range = hs::GridRange::mse;
  options.rounding.alpha = 0.25;
  options.float_path = hs::FloatPath::kept;
  return hs::recipes::gptq(input.model, input.calibration, options);
}

inline hs::QuantizedLlama quantize_llm_int8(const RecipeInput& input, const Setting&) {
  return hs::recipes::llm_int8(input.model, {.executor = input.executor});
}

inline std::optional<Setting> take_any(const Setting& setting) { return setting; }

inline std::optional<Setting> take_w8a8_per_token(const Setting& setting) {
  const bool fits = setting == Setting{8, 8, hs::InputScale::token, 0};
  return fits ? std::optional(setting) : std::nullopt;
}

/// All of them; float32 is always measured.
inline const std::vector<Method>& all_methods() {
  static const std::vector<Method> methods{
      {"nearest", "any bits", take_any, quantize_nearest},
      {"gptq", "any bits", take_any, quantize_gptq},
      {"gptq-file-order", "any bits", take_any, quantize_gptq_file_order},
      {"gptq-mse", "any bits", take_any, quantize_gptq_mse},
      {"gptq-search", "any bits", take_any, quantize_gptq_search},
      {"gptaq", "any bits", take_any, quantize_gptaq},
      {"llm-int8", "w8a8 with scales of tokens", take_w8a8_per_token, quantize_llm_int8}};
  return methods;
}

inline std::vector<std::string> method_names() {
  std::vector<std::string> names{"float32"};
  for (const Method& method : all_methods()) names.push_back(method.name);
  return names;
}

/// The method of that name, which is one of `method_names()` but for float32.
inline const Method& find_method(const std::string& name) {
  for (const Method& method : all_methods()) {
    if (method.name == name) return method;
  }
  hs::raise("quantize_llm", "method \"", name, "\" has no recipe");
}

}  // namespace quantize_llm
