#pragma once

/// \file
/// Outlier Suppression+ on a language model: channels behind a norm that reach beyond a searched threshold are shrunk
/// to it, their weights widened.
///
///     x = inputs behind each norm, in a float run
///     for each norm of the blocks:  fold(outlier_suppression_plus(x, weights), norm, readers)       qkv; gate and up
///     quantize as any method does
///
/// As published for Llama: without the shift, which an RMSNorm has no bias for; thresholds down to 0.1; compared are
/// what attention makes of q, k and v, softmax(q k^T) v, and the product silu(gate) * up. Source: Wei et al., "Outlier
/// Suppression+", EMNLP 2023.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/outlier_suppression_plus.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/layers/causal_attention.hpp"
#include "halfstep/layers/decoder_block.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/gated_mlp.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/branch_outputs.hpp"
#include "halfstep/recipes/input_scale.hpp"
#include "halfstep/recipes/norm_inputs.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/step_meter.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// What a threshold is judged by.
enum class ComparedOutput {
  branch,  ///< what attention or the gate makes of the layers' outputs, as published
  layers,  ///< the outputs themselves
};

/// What the thresholds are searched for.
struct OutlierSuppressionLlamaOptions {
  int bits = 8;                                 ///< 2 to 8, of weights and activations
  InputScale input_scale = InputScale::tensor;  ///< tensor or token
  /// Tokens that errors are taken over: the first of one sequence, or, where sequences are shorter, as many whole ones
  /// as it takes; 0: all.
  Index tokens = 384;
  ComparedOutput compared = ComparedOutput::branch;
  FloatProduct float_product = eigen_product;
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< told of norms; may cancel
};

/// The transform of what one norm gives, `x`, for its readers.
[[nodiscard]] inline OutlierSuppressionPlus suppress_outliers(const MatrixF& x, const std::vector<Linear*>& readers,
                                                              const OutlierSuppressionLlamaOptions& options,
                                                              OutputsToCompare compared, ProgressCallback progress) {
  const OutlierSuppressionPlusOptions search{
      .shift = ChannelShift::none,
      .lowest_threshold = 0.1,
      .activation_tiling = options.input_scale == InputScale::token ? per_row() : per_tensor(),
      .compared = options.compared == ComparedOutput::branch ? compared : OutputsToCompare(),
      .executor = options.executor,
      .progress = progress};
  return with_uniform_bits("outlier_suppression_plus", "bits", options.bits, [&]<int Bits>() {
    return outlier_suppression_plus<Uniform<Bits>, Uniform<Bits>>(x, weights_of(readers), search);
  });
}

/// The model that computes what `model` does, its outliers suppressed: for `nearest` or `gptq`. Keeps the inputs of all
/// blocks for `options.tokens` tokens. Where it is cancelled, the norms that it did not come to are as they were.
///
/// Errors: bits other than 2 to 8; inputs that stay float; no token, or tokens that the model cannot read. Class:
/// bounded.
[[nodiscard]] inline SearchedLlama outliers_suppressed(Llama model, const TokenView& calibration,
                                                       const OutlierSuppressionLlamaOptions& options = {}) {
  if (options.input_scale == InputScale::none) {
    raise("outlier_suppression_plus", "input_scale is none, expected tensor or token: inputs that stay float have no ",
          "outliers to suppress");
  }
  std::vector<Index> sites;
  for_each_block_norm(model, [&](const NormConsumers& n) { sites.push_back(n.consumers.front()->site.index); });
  const Index length = options.tokens == 0 ? calibration.length : std::min(options.tokens, calibration.length);
  const Index kept =
      length < calibration.length ? length : chunk_count(options.tokens, std::max<Index>(length, 1)) * length;
  const std::map<Index, MatrixF> inputs =
      keep_inputs("outlier_suppression_plus", model, calibration, options.float_product, sites, kept);
  StepMeter meter(options.progress, static_cast<Index>(sites.size()));
  const auto suppress = [&](NormView norm, const std::vector<Linear*>& readers, OutputsToCompare compared) {
    const MatrixF& x = inputs.at(readers.front()->site.index);
    ShiftScale t;
    const bool is_done = meter.run(readers.front()->site.name, [&](ProgressCallback inside) {
      t = suppress_outliers(x, readers, options, compared, inside).transform;
    });
    if (is_done) fold(t, norm, views_of(readers), options.executor);
  };
  for (DecoderBlock& block : model.blocks) {
    CausalAttention& a = block.self_attn;
    suppress(block.input_layernorm.view(), {&a.q_proj, &a.k_proj, &a.v_proj}, [&](const std::vector<MatrixF>& outputs) {
      return attention_of(outputs, a, length, model.rope, options.float_product, options.executor);
    });
    GatedMlp& mlp = block.mlp;
    suppress(block.post_attention_layernorm.view(), {&mlp.gate_proj, &mlp.up_proj},
             [&](const std::vector<MatrixF>& outputs) { return gate_of(outputs, mlp, options.executor); });
  }
  return {std::move(model), !meter.is_cancelled()};
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
