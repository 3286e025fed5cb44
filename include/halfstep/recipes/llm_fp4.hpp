#pragma once

/// \file
/// LLM-FP4 on a language model: 4-bit minifloats, formats and real-valued exponent biases searched by the error of each
/// stage's output, channels pre-shifted by powers of two.
///
///     for each block, for each stage, x from the quantized layers before it:
///       search formats, a bias per row of the weight and one common bias of the inputs, with a shift per channel
///       inputs  x_c 2^k_c at run time, under the common bias, static
///       weights w_c 2^-k_c, a bias per row searched anew: a product of codes has nowhere else to put the shift
///
/// Source: Liu et al., "LLM-FP4: 4-Bit Floating-Point Quantized Transformers", EMNLP 2023. The published simulation
/// keeps weights unshifted, which no product of 4-bit codes can follow; shifted ones have a wider range and lose a
/// little by it.

#include "halfstep/calibrators/range/minifloat_formats.hpp"
#include "halfstep/calibrators/range/minifloat_operands.hpp"
#include "halfstep/calibrators/range/minifloat_search.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/input_transform.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/row_transforms.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/sequential_calibration.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

namespace recipes {

/// How LLM-FP4 searches.
struct LlmFp4Options {
  MinifloatSearchOptions search = {.rounds = 2};
  Index tokens = 384;                          ///< of the calibration that errors are taken over, the first; 0: all
  FloatProduct float_product = eigen_product;  ///< of attention
  ExecutorRef executor = {};                   ///< results do not depend on it
  ProgressCallback progress = {};              ///< told of stages; may cancel, those that were done are kept
};

/// The layers of one stage, which share the format, shifts and bias of their input.
[[nodiscard]] inline std::vector<LinearSpec> llm_fp4_stage(const CalibrationStage& stage,
                                                           const LlmFp4Options& options) {
  constexpr int bits = 4;
  Index outputs = 0;
  for (const Linear* const layer : stage.layers) outputs += layer->out_features();
  MatrixF stacked(outputs, stage.x.cols);
  Index row = 0;
  for (const Linear* const layer : stage.layers) {
    std::copy(layer->weight.begin(), layer->weight.end(), stacked.data() + row * stage.x.cols);
    row += layer->out_features();
  }
  const Index tokens = options.tokens == 0 ? stage.x.rows : std::min(options.tokens, stage.x.rows);
  MinifloatSearchOptions search = options.search;
  search.executor = options.executor;
  search.progress = stage.progress;
  const MatrixView<const float> x = stage.x.row_range(0, tokens);
  const MinifloatChoice found = minifloat_search<bits>(x, stacked, search);
  const MinifloatWeight weights = shifted_weight_biases<bits>(found, x, stacked, options.executor);
  const ShiftExponents shift(found.activation.shared.shifts);
  for (Index r = 0; r < outputs; ++r) {
    for (Index c = 0; c < stacked.cols(); ++c) stacked(r, c) /= shift.powers[static_cast<std::size_t>(c)];
  }
  Activation input;
  with_minifloat<bits>(found.activation.format,
                       [&](auto format) { input = minifloat_of_bias<decltype(format)>(found.activation.shared.bias); });
  std::vector<LinearSpec> specs;
  row = 0;
  for (const Linear* const layer : stage.layers) {
    const MatrixF weight = stacked.middleRows(row, layer->out_features());
    const std::span<const float> biases(weights.biases.data() + row, static_cast<std::size_t>(weight.rows()));
    row += weight.rows();
    with_minifloat<bits>(weights.format, [&](auto format) {
      const auto rounded = quantize_with(weight, minifloats_of_biases<decltype(format)>(biases),
                                         {.tiling = per_row(), .executor = options.executor});
      specs.push_back({pack(rounded, options.executor), bits, input, InputTransform(shift)});
    });
  }
  return specs;
}

/// Quantizes the linear layers of the blocks of `model` to 4-bit minifloats, inputs too; embedding, head, norms and
/// attention stay float. Errors: no token, or tokens that the model cannot read. Class: bounded.
[[nodiscard]] inline QuantizedLlama llm_fp4(const Llama& model, const TokenView& calibration,
                                            const LlmFp4Options& options = {}) {
  const auto calibrate = [&](const CalibrationStage& stage) { return llm_fp4_stage(stage, options); };
  return calibrate_sequentially(
      model, calibration, calibrate,
      {.float_product = options.float_product, .executor = options.executor, .progress = options.progress});
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
