#pragma once

/// \file
/// GPTQ on a language model, block by block: each weight is rounded for the inputs that the quantized layers before it
/// give, and with GPTAQ for the outputs of the float model.
///
///     for each block, for each stage (qkv | o | gate, up | down):
///       H = sum x x^T over the stage's inputs            D = sum (f - x) x^T, f of the float model   (GPTAQ, float
///       path) each weight of the stage:  codes = gptq(w, H)    one grid per row, or per group
///
/// Sources: Frantar et al., "GPTQ", ICLR 2023; Li et al., "GPTAQ", 2025. Static groups, where the published default
/// fits them in passing and can lose against rounding to nearest at 2 bits; rows that end worse than rounding to
/// nearest take its codes.

#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/calibrators/rounding/input_difference.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/gptq_rounder.hpp"
#include "halfstep/recipes/input_scale.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/sequential_calibration.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The range of all of `x`, finite. Errors: an element that is not, by position. Class: exact, for any executor.
[[nodiscard]] inline Range range_of_all(MatrixView<const float> x, ExecutorRef executor) {
  const TilingGrid whole(per_tensor(), shape_of(x));
  return granule_ranges("calibrate_sequentially", x, whole, executor, RangeParts::ends).front();
}

/// What the layers of a stage are rounded with.
struct StageStatistics {
  HessianAccumulator hessian;
  std::optional<InputDifference> float_path;  ///< where the float model's inputs were kept
  Range range;                                ///< of the inputs

  /// One sequence after the other: the published Hessian counts them.
  StageStatistics(const CalibrationStage& stage, ExecutorRef executor) : hessian(stage.x.cols) {
    if (stage.float_x.data != nullptr) float_path.emplace(stage.x.cols);
    for (Index first = 0; first < stage.x.rows; first += stage.sequence_length) {
      const Index count = std::min(stage.sequence_length, stage.x.rows - first);
      const MatrixView<const float> x = stage.x.row_range(first, count);
      hessian.add(x, executor);
      if (float_path) float_path->add(x, stage.float_x.row_range(first, count), executor);
    }
    range = range_of_all(stage.x, executor);
  }
};

/// The rule for the inputs of a layer, from their range.
using InputRounder = std::function<InputRule(const Range& range)>;

namespace recipes {

/// The options of `gptq` that recipes use unless told otherwise: act-order, and no row worse than rounding to nearest.
[[nodiscard]] inline GptqOptions gptq_defaults() { return {.act_order = true, .row_guard = RowGuard::nearest}; }

/// Widths, and how weights are rounded.
struct GptqLlamaOptions {
  int weight_bits = 4;                     ///< 2 to 8
  GptqOptions rounding = gptq_defaults();  ///< its float_path, executor and progress are filled in
  FloatPath float_path = FloatPath::none;  ///< kept: objectives follow the float model; `rounding.alpha` for GPTAQ
  int activation_bits = 8;                 ///< 2 to 8; without meaning where inputs stay float
  InputScale input_scale = InputScale::none;
  FloatProduct float_product = eigen_product;  ///< of attention, and of the float path
  ExecutorRef executor = {};                   ///< results do not depend on it
  ProgressCallback progress = {};              ///< told of stages; may cancel, those that were done are kept
};

/// The layers of a stage, whose weights are `weights` in the order of `stage.layers`, by `round_weight` and
/// `input_rule`.
[[nodiscard]] inline std::vector<LinearSpec> round_stage(const CalibrationStage& stage,
                                                         const std::vector<MatrixView<const float>>& weights,
                                                         const GptqLlamaOptions& options,
                                                         const WeightRounder& round_weight,
                                                         const InputRounder& input_rule) {
  const StageStatistics seen(stage, options.executor);
  GptqOptions rounding = options.rounding;
  rounding.executor = options.executor;
  rounding.progress = stage.progress;
  rounding.float_path = seen.float_path ? &*seen.float_path : nullptr;
  std::vector<LinearSpec> specs;
  for (const MatrixView<const float>& weight : weights) {
    specs.push_back({round_weight(weight, seen.hessian, rounding), options.weight_bits, input_rule(seen.range)});
  }
  return specs;
}

/// How a calibration with these options runs.
[[nodiscard]] inline SequentialOptions sequential_options(const GptqLlamaOptions& options) {
  return {.float_path = options.float_path,
          .float_product = options.float_product,
          .executor = options.executor,
          .progress = options.progress};
}

/// Quantizes `model` stage by stage, weights by `round_weight` and inputs by `input_rule`: what GPTQ recipes of any
/// grid and any rule have in common. Errors and class: those of `calibrate_sequentially`.
[[nodiscard]] inline QuantizedLlama gptq_with(const Llama& model, const TokenView& calibration,
                                              const GptqLlamaOptions& options, const WeightRounder& round_weight,
                                              const InputRounder& input_rule) {
  const auto calibrate = [&](const CalibrationStage& stage) {
    std::vector<MatrixView<const float>> weights;
    for (const Linear* const layer : stage.layers) weights.push_back(layer->weight_view());
    return round_stage(stage, weights, options, round_weight, input_rule);
  };
  return calibrate_sequentially(model, calibration, calibrate, sequential_options(options));
}

/// Quantizes the linear layers of the blocks of `model` by GPTQ, from the first block to the last; embedding, head,
/// norms and attention stay float. Inputs are left in float, or encoded per token or per tensor.
///
/// Errors: widths other than 2 to 8; no token, or tokens that the model cannot read; options that GPTQ refuses. Holds
/// the activations of one block (twice with a float path) and one Hessian. Class: bounded.
[[nodiscard]] inline QuantizedLlama gptq(const Llama& model, const TokenView& calibration,
                                         const GptqLlamaOptions& options = {}) {
  if (options.input_scale != InputScale::none) {
    require_uniform_bits("gptq", "activation_bits", options.activation_bits);
  }
  return gptq_with(model, calibration, options, gptq_rounder(options.weight_bits), [&](const Range& range) {
    return uniform_input(options.activation_bits, options.input_scale, range);
  });
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
