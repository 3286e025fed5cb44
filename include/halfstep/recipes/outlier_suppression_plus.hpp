#pragma once

/// \file
/// Outlier Suppression+ on a language model: channels behind a norm that reach beyond a searched threshold are shrunk
/// to it, their weights widened.
///
///     x = inputs behind each norm, in a float run
///     for each norm of the blocks:  fold(outlier_suppression_plus(x, weights), norm, readers)       qkv; gate and up
///     quantize as any method does
///
/// Without the shift, which an RMSNorm has no bias for, and with thresholds down to 0.1, as published for Llama. The
/// output error is that of the stacked linear layers. Source: Wei et al., "Outlier Suppression+", EMNLP 2023.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/outlier_suppression_plus.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/input_scale.hpp"
#include "halfstep/recipes/norm_inputs.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <map>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// What the thresholds are searched for.
struct OutlierSuppressionLlamaOptions {
  int bits = 8;                                 ///< 2 to 8, of weights and activations
  InputScale input_scale = InputScale::tensor;  ///< tensor or token
  Index tokens = 384;                           ///< of the calibration that errors are taken over, the first; 0: all
  FloatProduct float_product = eigen_product;
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// The model that computes what `model` does, its outliers suppressed: for `nearest` or `gptq`. Keeps the inputs of all
/// blocks for `options.tokens` tokens. Errors: bits other than 2 to 8; inputs that stay float; no token, or tokens that
/// the model cannot read. Class: bounded.
[[nodiscard]] inline Llama outliers_suppressed(Llama model, const TokenView& calibration,
                                               const OutlierSuppressionLlamaOptions& options = {}) {
  if (options.input_scale == InputScale::none) {
    raise("outlier_suppression_plus", "input_scale is none, expected tensor or token: inputs that stay float have no ",
          "outliers to suppress");
  }
  std::vector<Index> sites;
  for_each_block_norm(model, [&](const NormConsumers& n) { sites.push_back(n.consumers.front()->site.index); });
  const std::map<Index, MatrixF> inputs =
      keep_inputs("outlier_suppression_plus", model, calibration, options.float_product, sites, options.tokens);
  const OutlierSuppressionPlusOptions search{
      .shift = ChannelShift::none,
      .lowest_threshold = 0.1,
      .activation_tiling = options.input_scale == InputScale::token ? per_row() : per_tensor(),
      .executor = options.executor};
  for_each_block_norm(model, [&](const NormConsumers& norm) {
    const MatrixF& x = inputs.at(norm.consumers.front()->site.index);
    const ShiftScale t = with_uniform_bits("outlier_suppression_plus", "bits", options.bits, [&]<int Bits>() {
      return outlier_suppression_plus<Uniform<Bits>, Uniform<Bits>>(x, weights_of(norm.consumers), search).transform;
    });
    fold(t, norm.norm, views_of(norm.consumers), options.executor);
  });
  return model;
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
