#pragma once

/// \file
/// PTQ4ViT: steps by the error of each product's output, and two regions of steps where one does not fit.
///
///     probabilities        twin uniform: a fine region below a split, a coarse one above
///     behind GELU          twin uniform: a short negative and a long positive region
///     everything else      symmetric uniform: inputs per tensor, weights per tensor (q, k and v apart), heads apart
///     in turns             weights, inputs: the best of 100 multiples of the first step; three rounds
///
/// Z. Yuan et al., "PTQ4ViT: Post-Training Quantization for Vision Transformers with Twin Uniform Quantization", ECCV
/// 2022. Errors count as squares of the output (published: times squared gradients, which need a backward pass). The
/// patch embedding, whose input the published program leaves in float, has weights by output row.

#include "halfstep/calibrators/range/alternating_search.hpp"
#include "halfstep/calibrators/range/candidate_ranges.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/output_metric.hpp"
#include "halfstep/calibrators/range/ptq4vit_search.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/searched_rows.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A linear site as PTQ4ViT searches it, its input encoded by an `A`: weights symmetric, one scale for each of `blocks`
/// blocks of rows. Class: bounded.
template <int Bits, class A>
[[nodiscard]] LinearSpec ptq4vit_layer(const VitSite& at, Index search_images, const Ptq4vitOptions& options) {
  const auto found = ptq4vit_linear<Bits, A>(at.products(search_images).front(), options);
  std::vector<Uniform<Bits>> rows;
  const auto rows_of_block = static_cast<std::size_t>(at.site.weight.rows) / found.rhs.size();
  for (const Uniform<Bits>& block : found.rhs) rows.insert(rows.end(), rows_of_block, block);
  return {pack_rows(at.layer->weight_view(), rows, at.executor), Bits, found.lhs.front()};
}

/// The patch embedding: the input symmetric with min-max range, each row of the weight searched. Class: bounded.
[[nodiscard]] inline LinearSpec ptq4vit_pixels(const VitSite& at, Index search_images, const ScaleFactors& factors) {
  const Range whole = range_of(at.lhs, at.executor);
  const Activation input = with_uniform_bits("ptq4vit", "pixel_bits", at.bits.activation,
                                             [&]<int Bits>() { return Activation(ptq4vit_fit<Bits>(whole)); });
  return with_uniform_bits("ptq4vit", "weight_bits", at.bits.weight, [&]<int Bits>() {
    MinMax rows(per_row());
    rows.observe(at.layer->weight_view(), at.executor);
    std::vector<Uniform<Bits>> start;
    for (const Range& range : rows.ranges()) start.push_back(ptq4vit_fit<Bits>(range));
    return searched_rows<Bits>(at, input, search_images, scale_turn(start, factors));
  });
}

namespace recipes {

/// What PTQ4ViT leaves to choose.
struct Ptq4vitRecipeOptions {
  Index search_images = 8;    ///< of those that calibrate, whose products judge candidates
  int rounds = 3;             ///< of turns
  ScaleFactors factors = {};  ///< of the steps
};

/// Quantizes `vit` by PTQ4ViT, calibrated on the float model. Errors: those of `calibrate_sites`; 2 bits, which have no
/// twin regions; a site whose weights and inputs differ in width. Class: bounded.
[[nodiscard]] inline QuantizedVit ptq4vit(const Vit& vit, const ImageView& calibration,
                                          const VitRecipeOptions& options = {},
                                          const Ptq4vitRecipeOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.role == SiteRole::pixels) return ptq4vit_pixels(at, method.search_images, method.factors);
    return with_equal_bits("ptq4vit", at, [&]<int Bits>() -> SiteSpec {
      if constexpr (Bits < 3) {
        raise("ptq4vit", "site \"", at.site.name, "\" has ", Bits, " bits, expected 3 to 8");
      } else {
        const bool is_qkv = at.role == SiteRole::after_norm && at.site.weight.rows == 3 * at.site.weight.cols &&
                            at.site != vit.head.site;
        const Ptq4vitOptions search{.rounds = method.rounds,
                                    .weight_blocks = is_qkv ? 3 : 1,
                                    .metric = OutputMetric::squared,
                                    .factors = method.factors,
                                    .executor = at.executor};
        if (at.role == SiteRole::queries) {
          return per_head_rules(ptq4vit_attention<Bits, Bits>(at.products(method.search_images), search));
        }
        if (at.role == SiteRole::probabilities) {
          return per_head_rules(ptq4vit_softmax<Bits, Bits>(at.products(method.search_images), search));
        }
        if (at.role == SiteRole::after_gelu) {
          return ptq4vit_layer<Bits, TwinGelu<Bits>>(at, method.search_images, search);
        }
        return ptq4vit_layer<Bits, Uniform<Bits>>(at, method.search_images, search);
      }
    });
  };
  return calibrate_sites("ptq4vit", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
