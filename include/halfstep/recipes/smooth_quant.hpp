#pragma once

/// \file
/// SmoothQuant on a language model: the outliers behind each norm move into the weights that read it, before anything
/// is quantized.
///
///     a = largest |x| per channel behind each norm, in a float run
///     for each norm of the blocks:  fold(smooth_quant(a, weights), norm, readers)      qkv; gate and up
///     quantize as any method does
///
/// Inputs of o and down are not smoothed. Source: Xiao et al., "SmoothQuant", ICML 2023.

#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/smooth_quant.hpp"
#include "halfstep/config.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/nearest_llama.hpp"
#include "halfstep/recipes/norm_inputs.hpp"
#include "halfstep/recipes/quantized_model.hpp"

#include <map>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// The model that computes what `model` does, with smoothed activations: for `nearest`, `gptq` or any other recipe.
/// Errors: no token; tokens that the model cannot read; alpha outside of 0 to 1. Class: bounded.
[[nodiscard]] inline Llama smoothed(Llama model, const TokenView& calibration, const SmoothQuantOptions& options = {},
                                    FloatProduct float_product = eigen_product) {
  const std::map<Index, MinMax> seen = observe_channels("smooth_quant", model, calibration, float_product);
  for_each_block_norm(model, [&](const NormConsumers& norm) {
    const std::vector<float> maxima = channel_absmax(seen.at(norm.consumers.front()->site.index).ranges());
    const ShiftScale t = halfstep::smooth_quant(maxima, weights_of(norm.consumers), options);
    fold(t, norm.norm, views_of(norm.consumers), options.executor);
  });
  return model;
}

/// How the model is smoothed, then rounded.
struct SmoothQuantLlamaOptions {
  SmoothQuantOptions smoothing = {};
  NearestLlamaOptions rounding = {};
};

/// SmoothQuant with rounding to nearest, as published. Errors and class: those of `smoothed` and `nearest`.
[[nodiscard]] inline QuantizedLlama smooth_quant(const Llama& model, const TokenView& calibration,
                                                 const SmoothQuantLlamaOptions& options = {}) {
  return nearest(smoothed(model, calibration, options.smoothing, options.rounding.float_product), calibration,
                 options.rounding);
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
