#pragma once

/// \file
/// MXFP4 and NVFP4 on a language model: weights and inputs in blocks along K, each with its scale.
///
/// Sources: OCP Microscaling Formats 1.0; NVIDIA's NVFP4. Weights are rounded to nearest; scales of MX blocks follow
/// the rule "even", those of NVFP4 have a factor per tensor, for inputs from the range over the calibration sequences.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/recipes/nearest_llama.hpp"
#include "halfstep/recipes/quantized_model.hpp"

#include <optional>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// Whether inputs become blocks as well.
enum class BlockInputs { floats, blocks };

/// How a model is quantized to blocks.
struct BlockFloatOptions {
  BlockInputs inputs = BlockInputs::blocks;
  FloatProduct float_product = eigen_product;  ///< of the calibration run
  ExecutorRef executor = {};                   ///< results do not depend on it
};

/// Quantizes the linear layers of the blocks of `model` to format `F` (`MXFP4`, `NVFP4`); embedding, head, norms and
/// attention stay float. `calibration` is read where inputs have a factor per tensor (NVFP4). Errors: no token, where
/// they are read. Class: exact for MX, bounded for NVFP4, as the float product of the calibration run.
template <BlockFormat F>
[[nodiscard]] QuantizedLlama block_float(const Llama& model, const TokenView& calibration,
                                         const BlockFloatOptions& options = {}) {
  std::optional<SiteObservers<MinMax>> seen;
  if constexpr (HasTensorScale<F>) {
    if (options.inputs == BlockInputs::blocks) {
      seen = observe_ranges("block_float", model, calibration, options.float_product);
    }
  }
  const auto input_rule = [&](const Site& site) -> InputRule {
    if (options.inputs == BlockInputs::floats) return Activation::kept_in_float();
    if constexpr (HasTensorScale<F>) {
      return Activation::per_block<F>(F::tensor_scale_of(seen->lhs(site).range()));
    } else {
      static_cast<void>(site);
      return Activation::per_block<F>();
    }
  };
  SiteSpecs specs = float_specs(model.sites);
  model.for_each_linear([&](const Linear& layer) {
    if (layer.site == model.lm_head.site) return;
    PackedMatrix weight =
        pack(quantize_blocks<F>(layer.weight_view(), {.executor = options.executor}), options.executor);
    specs.set(layer.site.name, LinearSpec{std::move(weight), F::bits, input_rule(layer.site)});
  });
  return {model, std::move(specs)};
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
