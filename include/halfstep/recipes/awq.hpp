#pragma once

/// \file
/// AWQ on a language model: weight columns that large activations meet are widened before weights are rounded.
///
///     x = inputs behind each norm and of down, in a float run
///     for each norm of the blocks:  fold(awq(x, weights), norm, readers)              qkv; gate and up
///     for each block:               fold(awq(x, down), up, down)                      up makes what down reads
///     round to nearest, or by GPTQ
///
/// The output error is that of the stacked linear layers, where the published program takes a whole attention or MLP.
/// Source: Lin et al., "AWQ", MLSys 2024.

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/transform/awq.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/layers/decoder_block.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/norm_inputs.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/step_meter.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <map>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// What AWQ scales for.
struct AwqLlamaOptions {
  int weight_bits = 4;               ///< 2 to 8, of the weights that will be rounded
  Tiling weight_tiling = per_row();  ///< likewise
  Index tokens = 1024;               ///< of the calibration that errors are taken over, the first ones; 0: all
  FloatProduct float_product = eigen_product;
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< told of searches, by the first layer of each; may cancel
};

/// The scales of one input, searched for `weight_bits`.
[[nodiscard]] inline ShiftScale awq_transform(const MatrixF& x, const std::vector<Linear*>& readers,
                                              const AwqLlamaOptions& options, ProgressCallback progress) {
  const AwqOptions search{.weight_tiling = options.weight_tiling, .executor = options.executor, .progress = progress};
  return with_uniform_bits("awq", "weight_bits", options.weight_bits, [&]<int Bits>() {
    return halfstep::awq<Uniform<Bits>>(x, weights_of(readers), search).transform;
  });
}

/// The model that computes what `model` does, its weights scaled for rounding: for `nearest` or `gptq`. Keeps the
/// inputs of all blocks for `options.tokens` tokens. Where it is cancelled, what it did not come to is as it was.
///
/// Errors: widths other than 2 to 8; no token, or tokens that the model cannot read. Class: bounded.
[[nodiscard]] inline SearchedLlama awq_scaled(Llama model, const TokenView& calibration,
                                              const AwqLlamaOptions& options = {}) {
  std::vector<Index> sites;
  for_each_block_norm(model, [&](const NormConsumers& n) { sites.push_back(n.consumers.front()->site.index); });
  for (const DecoderBlock& block : model.blocks) sites.push_back(block.mlp.down_proj.site.index);
  const std::map<Index, MatrixF> inputs =
      keep_inputs("awq", model, calibration, options.float_product, sites, options.tokens);
  // Scales of one place leave what another reads as it is: the order does not matter.
  StepMeter meter(options.progress, static_cast<Index>(sites.size()));
  const auto scale = [&](const std::vector<Linear*>& readers, const auto& before) {
    const Site& site = readers.front()->site;
    ShiftScale t;
    const bool is_done = meter.run(site.name, [&](ProgressCallback inside) {
      t = awq_transform(inputs.at(site.index), readers, options, inside);
    });
    if (is_done) fold(t, before, views_of(readers), options.executor);
  };
  for_each_block_norm(model, [&](const NormConsumers& norm) { scale(norm.consumers, norm.norm); });
  for (DecoderBlock& block : model.blocks) scale({&block.mlp.down_proj}, block.mlp.up_proj.view());
  return {std::move(model), !meter.is_cancelled()};
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
