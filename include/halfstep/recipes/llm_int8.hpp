#pragma once

/// \file
/// LLM.int8(): 8-bit weights with a scale per output row, 8-bit inputs with a scale per token, and the few input
/// columns with outliers in float.
///
/// Source: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", NeurIPS 2022. The
/// rules of the paper are followed (rows are scaled by what is left without outlier columns, outliers meet the weights
/// as they were); those of the published library are options. Outlier columns are found for each sequence by itself.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/quantizers/absmax.hpp"
#include "halfstep/recipes/quantized_model.hpp"

#include <utility>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// The rule for inputs, as the layers have it, and the threads.
struct LlmInt8Options {
  SplitInput input = {};      ///< outliers from 6 on, by default
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// Quantizes the linear layers of the blocks of `model`; nothing is calibrated. Embedding, head, norms and attention
/// stay float. Bytes of the result do not count the float weights of outlier columns, which the model keeps. Class:
/// exact. Errors: at run time, a threshold that is negative or not finite.
[[nodiscard]] inline QuantizedLlama llm_int8(const Llama& model, const LlmInt8Options& options = {}) {
  SiteSpecs specs = float_specs(model.sites);
  model.for_each_linear([&](const Linear& layer) {
    if (layer.site == model.lm_head.site) return;
    specs.set(
        layer.site.name,
        LinearSpec{pack(quantize<Absmax<8>>(layer.weight_view(), {.tiling = per_row(), .executor = options.executor}),
                        options.executor),
                   8, options.input});
  });
  return {model, std::move(specs)};
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
