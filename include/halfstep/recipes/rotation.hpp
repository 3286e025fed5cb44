#pragma once

/// \file
/// Rotated inputs on a language model: an orthogonal transform spreads the outliers of every linear layer's input over
/// all of its channels; the weight takes it back.
///
///     fold the gain of each norm into what reads it        without this, outlier channels come back behind the gain
///     for each block, for each stage:  R = hadamard_rotation(channels)
///       weights w R^T, inputs R x at run time, rounded to nearest, by GPTQ or by GPTAQ
///
/// Sources: Ashkboos et al., "QuaRot", NeurIPS 2024; Chiang et al., "Quamba", ICLR 2025, whose Hadamard matrices these
/// are. Sizes without a Hadamard matrix (688 = 43 * 16) mix their odd factor by a random orthogonal matrix.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/rotate.hpp"
#include "halfstep/calibrators/transform/rotation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/input_transform.hpp"
#include "halfstep/layers/row_transforms.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/gptq.hpp"
#include "halfstep/recipes/input_scale.hpp"
#include "halfstep/recipes/norm_inputs.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/sequential_calibration.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

namespace recipes {

/// The model that computes what `model` does, the gains of its norms in what reads them.
[[nodiscard]] inline Llama with_folded_norms(Llama model, ExecutorRef executor = {}) {
  for_each_block_norm(model,
                      [&](const NormConsumers& norm) { fold_norm(norm.norm, views_of(norm.consumers), executor); });
  return model;
}

/// How weights of rotated layers are rounded.
enum class RotatedRounding {
  nearest,  ///< to nearest, min-max
  gptq,     ///< as `RotationLlamaOptions::gptq` says
};

/// Whether the gains of norms go into what reads them before anything is rotated.
enum class NormGain {
  folded,  ///< they do, as published
  kept,    ///< they stay in front of the rotation: outlier channels that a gain makes stay large
};

/// GPTQ for rotated layers unless told otherwise: ranges of least squared error, and inputs per token.
[[nodiscard]] inline GptqLlamaOptions rotated_gptq_defaults() {
  GptqLlamaOptions options{.input_scale = InputScale::token};
  options.rounding.range = GridRange::mse;
  return options;
}

/// What is drawn, and how weights and inputs are rounded.
struct RotationLlamaOptions {
  RotationOptions rotation = {};
  NormGain gain = NormGain::folded;
  RotatedRounding rounding = RotatedRounding::nearest;
  GptqLlamaOptions gptq = rotated_gptq_defaults();  ///< widths, inputs and threads are read from it in any case
};

/// Quantizes `model` with rotated inputs of all linear layers of the blocks. Errors and class: those of
/// `calibrate_sequentially`; widths other than 2 to 8.
[[nodiscard]] inline QuantizedLlama rotation(const Llama& model, const TokenView& calibration,
                                             const RotationLlamaOptions& options = {}) {
  const GptqLlamaOptions& how = options.gptq;
  require_uniform_bits("rotation", "weight_bits", how.weight_bits);
  if (how.input_scale != InputScale::none) require_uniform_bits("rotation", "activation_bits", how.activation_bits);
  const auto input_rule = [&](const Range& range) {
    return uniform_input(how.activation_bits, how.input_scale, range);
  };
  const auto calibrate = [&](const CalibrationStage& stage) {
    const Rotation r = hadamard_rotation(stage.x.cols, options.rotation);
    const MatrixF x = apply(r, stage.x, how.executor);
    const MatrixF float_x = stage.float_x.data != nullptr ? apply(r, stage.float_x, how.executor) : MatrixF();
    CalibrationStage rotated = stage;
    rotated.x = view(x);
    if (stage.float_x.data != nullptr) rotated.float_x = view(float_x);
    std::vector<MatrixF> turned;
    for (const Linear* const layer : stage.layers) turned.push_back(apply(r, layer->weight_view(), how.executor));
    std::vector<MatrixView<const float>> weights;
    for (const MatrixF& w : turned) weights.push_back(view(w));
    std::vector<LinearSpec> specs;
    if (options.rounding == RotatedRounding::gptq) {
      specs = round_stage(rotated, weights, how, gptq_rounder(how.weight_bits), input_rule);
    } else {
      const Index group = how.rounding.group_size;
      const QuantizeOptions nearest{.tiling = group == 0 ? per_row() : per_group(group), .executor = how.executor};
      const Range range = range_of_all(rotated.x, how.executor);
      for (const MatrixView<const float>& w : weights) {
        specs.push_back({pack_nearest(w, how.weight_bits, nearest), how.weight_bits, input_rule(range)});
      }
    }
    for (LinearSpec& spec : specs) spec.transform = InputTransform(RotateInput{r});
    return specs;
  };
  return calibrate_sequentially(options.gain == NormGain::folded ? with_folded_norms(model, how.executor) : model,
                                calibration, calibrate, sequential_options(how));
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
