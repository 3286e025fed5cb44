#pragma once

/// \file
/// Round to nearest for language models, the baseline of every method: nothing is learned, nothing is moved from
/// activations to weights. Linear layers of the blocks are quantized; embedding, head, norms and, unless asked for, the
/// products of attention stay float.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/input_scale.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/site_observers.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <optional>
#include <string_view>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// Ranges of the operands of every site in a float run of `model` over all of `calibration`. Errors: no sequence; those
/// of `Llama::forward_into`.
[[nodiscard]] inline SiteObservers<MinMax> observe_ranges(std::string_view where, const Llama& model,
                                                          const TokenView& calibration, FloatProduct product) {
  if (calibration.size() == 0) raise(where, "calibration has no tokens, and scales of tensors need them");
  SiteObservers<MinMax> seen(model.sites);
  const auto observe = [&](const ProductRecord& record) { seen.observe(record); };
  RecordingEngine recording(product, observe);
  static_cast<void>(model.forward(calibration, recording));
  return seen;
}

namespace recipes {

/// Widths, and what shares a scale.
struct NearestLlamaOptions {
  int weight_bits = 4;               ///< 2 to 8
  Tiling weight_tiling = per_row();  ///< per_group(n): n inputs of an output
  Symmetry weight_symmetry = Symmetry::affine;
  int activation_bits = 8;  ///< 2 to 8, affine; without meaning where inputs stay float
  InputScale input_scale = InputScale::token;
  int attention_bits = 0;  ///< of queries, keys, values and probabilities, per tensor, static; 0: they stay float
  FloatProduct float_product = eigen_product;  ///< of the calibration run
  ExecutorRef executor = {};                   ///< results do not depend on it
};

/// Quantizes `model`: weights of the blocks rounded to nearest, their ranges the least and largest weight of a granule;
/// inputs as `options.input_scale` says. Static ranges are the least and largest value in a float run over all of
/// `calibration`, which is not read where there are none.
///
/// Errors: widths other than 2 to 8; no calibration where it is needed; tokens that the model cannot read.
/// Class: bounded, as the float product of the calibration run; exact where there is none.
[[nodiscard]] inline QuantizedLlama nearest(const Llama& model, const TokenView& calibration,
                                            const NearestLlamaOptions& options = {}) {
  require_uniform_bits("nearest", "weight_bits", options.weight_bits);
  if (options.input_scale != InputScale::none) {
    require_uniform_bits("nearest", "activation_bits", options.activation_bits);
  }
  if (options.attention_bits != 0) require_uniform_bits("nearest", "attention_bits", options.attention_bits);
  std::optional<SiteObservers<MinMax>> seen;
  if (options.input_scale == InputScale::tensor || options.attention_bits != 0) {
    seen = observe_ranges("nearest", model, calibration, options.float_product);
  }

  SiteSpecs specs = float_specs(model.sites);
  const QuantizeOptions rounding{
      .tiling = options.weight_tiling, .symmetry = options.weight_symmetry, .executor = options.executor};
  model.for_each_linear([&](const Linear& layer) {
    if (layer.site == model.lm_head.site) return;
    const Range range = seen ? seen->lhs(layer.site).range() : Range{};
    specs.set(layer.site.name,
              LinearSpec{pack_nearest(layer.weight_view(), options.weight_bits, rounding), options.weight_bits,
                         uniform_input(options.activation_bits, options.input_scale, range)});
  });
  for (const Site& site : model.sites.all()) {
    if (site.kind != SiteKind::attention || options.attention_bits == 0) continue;
    specs.set(site.name, AttentionSpec{{uniform_activation(seen->lhs(site).range(), options.attention_bits)},
                                       {uniform_activation(seen->rhs(site).range(), options.attention_bits)}});
  }
  return {model, std::move(specs)};
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
