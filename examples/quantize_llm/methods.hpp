#pragma once

/// \file
/// Every method there is: its name, the settings that it takes, and the recipe behind it.

#include <halfstep/core/executor.hpp>
#include <halfstep/core/progress.hpp>
#include <halfstep/core/tiling.hpp>
#include <halfstep/layers/float_product.hpp>
#include <halfstep/models/language_model.hpp>
#include <halfstep/models/tokens.hpp>
#include <halfstep/recipes/awq.hpp>
#include <halfstep/recipes/block_float.hpp>
#include <halfstep/recipes/gptq.hpp>
#include <halfstep/recipes/llm_fp4.hpp>
#include <halfstep/recipes/llm_int8.hpp>
#include <halfstep/recipes/nearest_llama.hpp>
#include <halfstep/recipes/outlier_suppression_plus.hpp>
#include <halfstep/recipes/quantized_model.hpp>
#include <halfstep/recipes/rotation.hpp>
#include <halfstep/recipes/smooth_quant.hpp>

#include <cstdint>
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
  std::uint64_t seed = 0;              ///< of what is drawn
  hs::ProgressCallback progress = {};  ///< of recipes that take long
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
                                        .executor = input.executor,
                                        .progress = input.progress};
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

/// Ranges by GPTQ's own objective, GPTAQ's sweep, three sweeps of coordinate descent, the float model's outputs as the
/// target.
inline hs::QuantizedLlama quantize_gptq_search(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options = gptq_options(input, setting);
  options.rounding.range = hs::GridRange::objective;
  options.rounding.descent_sweeps = 3;
  options.rounding.alpha = 0.5;
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

/// Rounding to nearest of a model that was transformed before.
inline hs::QuantizedLlama round_nearest(const hs::Llama& model, const RecipeInput& input, const Setting& setting) {
  return quantize_nearest({model, input.calibration, input.product, input.executor, input.seed, input.progress},
                          setting);
}

inline hs::Llama smooth(const RecipeInput& input) {
  return hs::recipes::smoothed(input.model, input.calibration, {.executor = input.executor}, input.product);
}

inline hs::QuantizedLlama quantize_smooth_quant(const RecipeInput& input, const Setting& setting) {
  return round_nearest(smooth(input), input, setting);
}

inline hs::QuantizedLlama quantize_smooth_quant_gptq(const RecipeInput& input, const Setting& setting) {
  return hs::recipes::gptq(smooth(input), input.calibration, gptq_options(input, setting));
}

inline hs::QuantizedLlama quantize_os_plus(const RecipeInput& input, const Setting& setting) {
  return round_nearest(hs::recipes::outliers_suppressed(input.model, input.calibration,
                                                        {.bits = setting.activation_bits,
                                                         .input_scale = setting.scale,
                                                         .float_product = input.product,
                                                         .executor = input.executor,
                                                         .progress = input.progress})
                           .model,
                       input, setting);
}

inline hs::Llama scale_for_weights(const RecipeInput& input, const Setting& setting) {
  return hs::recipes::awq_scaled(input.model, input.calibration,
                                 {.weight_bits = setting.weight_bits,
                                  .weight_tiling = weight_tiling(setting),
                                  .float_product = input.product,
                                  .executor = input.executor,
                                  .progress = input.progress})
      .model;
}

inline hs::QuantizedLlama quantize_awq(const RecipeInput& input, const Setting& setting) {
  return round_nearest(scale_for_weights(input, setting), input, setting);
}

inline hs::QuantizedLlama quantize_awq_gptq(const RecipeInput& input, const Setting& setting) {
  hs::recipes::GptqLlamaOptions options = gptq_options(input, setting);
  options.rounding.range = hs::GridRange::mse;
  return hs::recipes::gptq(scale_for_weights(input, setting), input.calibration, options);
}

inline hs::QuantizedLlama quantize_rotated(const RecipeInput& input, const Setting& setting,
                                           hs::recipes::RotatedRounding rounding, hs::FloatPath float_path) {
  hs::recipes::RotationLlamaOptions options{
      .rotation = {.seed = input.seed}, .rounding = rounding, .gptq = gptq_options(input, setting)};
  options.gptq.rounding.range = hs::GridRange::mse;  // as `rotated_gptq_defaults`
  options.gptq.float_path = float_path;
  options.gptq.rounding.alpha = float_path == hs::FloatPath::kept ? 0.25 : 0;
  return hs::recipes::rotation(input.model, input.calibration, options);
}
inline hs::QuantizedLlama quantize_rotation(const RecipeInput& input, const Setting& setting) {
  return quantize_rotated(input, setting, hs::recipes::RotatedRounding::nearest, hs::FloatPath::none);
}
inline hs::QuantizedLlama quantize_rotation_gptq(const RecipeInput& input, const Setting& setting) {
  return quantize_rotated(input, setting, hs::recipes::RotatedRounding::gptq, hs::FloatPath::none);
}
inline hs::QuantizedLlama quantize_rotation_gptaq(const RecipeInput& input, const Setting& setting) {
  return quantize_rotated(input, setting, hs::recipes::RotatedRounding::gptq, hs::FloatPath::kept);
}

template <hs::BlockFormat F>
hs::QuantizedLlama quantize_blocks(const RecipeInput& input, const Setting& setting) {
  using hs::recipes::BlockInputs;
  const bool keeps_floats = setting.activation_bits == float_bits;
  return hs::recipes::block_float<F>(input.model, input.calibration,
                                     {.inputs = keeps_floats ? BlockInputs::floats : BlockInputs::blocks,
                                      .float_product = input.product,
                                      .executor = input.executor});
}

inline hs::QuantizedLlama quantize_llm_int8(const RecipeInput& input, const Setting&) {
  return hs::recipes::llm_int8(input.model, {.executor = input.executor});
}

inline hs::QuantizedLlama quantize_llm_fp4(const RecipeInput& input, const Setting&) {
  return hs::recipes::llm_fp4(input.model, input.calibration,
                              {.float_product = input.product, .executor = input.executor, .progress = input.progress});
}

inline std::optional<Setting> take_w4a4_per_tensor(const Setting& setting) {
  const bool fits = setting == Setting{4, 4, hs::InputScale::tensor, 0};
  return fits ? std::optional(setting) : std::nullopt;
}

inline std::optional<Setting> take_any(const Setting& setting) { return setting; }

inline std::optional<Setting> take_w8a8_per_token(const Setting& setting) {
  const bool fits = setting == Setting{8, 8, hs::InputScale::token, 0};
  return fits ? std::optional(setting) : std::nullopt;
}

inline std::optional<Setting> take_weights_only(const Setting& setting) {
  return setting.activation_bits == float_bits ? std::optional(setting) : std::nullopt;
}

inline std::optional<Setting> take_coded_inputs(const Setting& setting) {
  return setting.activation_bits != float_bits ? std::optional(setting) : std::nullopt;
}

/// 4 bits of both, or of weights alone; the format has its own groups, and its scales belong to tokens.
template <hs::BlockFormat F>
std::optional<Setting> take_blocks(const Setting& setting) {
  const bool weights_only = setting.activation_bits == float_bits;
  if (setting.weight_bits != F::bits || setting.group != 0) return std::nullopt;
  if (!weights_only && setting.activation_bits != F::bits) return std::nullopt;
  return Setting{F::bits, setting.activation_bits, weights_only ? hs::InputScale::none : hs::InputScale::token,
                 F::block_size};
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
      {"awq", "weights alone", take_weights_only, quantize_awq},
      {"awq-gptq", "weights alone", take_weights_only, quantize_awq_gptq},
      {"smoothquant", "inputs of 2 to 8 bits", take_coded_inputs, quantize_smooth_quant},
      {"smoothquant-gptq", "inputs of 2 to 8 bits", take_coded_inputs, quantize_smooth_quant_gptq},
      {"osplus", "inputs of 2 to 8 bits", take_coded_inputs, quantize_os_plus},
      {"rotation", "inputs of 2 to 8 bits", take_coded_inputs, quantize_rotation},
      {"rotation-gptq", "any bits", take_any, quantize_rotation_gptq},
      {"rotation-gptaq", "any bits", take_any, quantize_rotation_gptaq},
      {"llm-fp4", "w4a4 with scales of tensors", take_w4a4_per_tensor, quantize_llm_fp4},
      {"mxfp4", "w4 or w4a4 without groups", take_blocks<hs::MXFP4>, quantize_blocks<hs::MXFP4>},
      {"nvfp4", "w4 or w4a4 without groups", take_blocks<hs::NVFP4>, quantize_blocks<hs::NVFP4>},
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
