#pragma once

/// \file
/// Mixed precision for any recipe for vision transformers: each site gets a width of its own, so that the average over
/// the model keeps a budget and the predicted loss is least.
///
///     for each width b:     the recipe at b, for all sites
///     for each site and b:  loss = KL(softmax(float logits) || softmax(logits with that site alone at b bits))
///     allocation:           least sum of losses with  sum(multiplications * bits) <= average * sum(multiplications)
///     the recipe once more, with these widths
///
/// Weights and activations of a site have the same width. The patch embedding keeps its 8-bit pixels and is no part of
/// the average.

#include "halfstep/calibrators/precision/allocation.hpp"
#include "halfstep/calibrators/precision/exact_allocation.hpp"
#include "halfstep/calibrators/precision/greedy_allocation.hpp"
#include "halfstep/calibrators/precision/sensitivity.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A recipe with all its options but these.
using VitRecipe = FunctionRef<QuantizedVit(const VitRecipeOptions& options)>;

/// The sites whose widths are chosen: all but the patch embedding.
[[nodiscard]] inline std::vector<Site> precision_sites(const Vit& vit) {
  std::vector<Site> sites;
  for (const Site& site : vit.sites.all()) {
    if (site.index != vit.patch_embed.proj.site.index) sites.push_back(site);
  }
  return sites;
}

/// Multiplications of one image at a site.
[[nodiscard]] inline std::int64_t multiplications(const Vit& vit, const Site& site) {
  if (site.kind == SiteKind::attention) return vit.tokens() * vit.tokens() * vit.dim();
  const Index rows = site.index == vit.head.site.index               ? 1
                     : site.index == vit.patch_embed.proj.site.index ? vit.tokens() - 1
                                                                     : vit.tokens();
  return rows * site.weight.rows * site.weight.cols;
}

/// How an allocation is found. Exact: least loss of all. Greedy: down from the widest, step by step, as published.
enum class PrecisionSearch { exact, greedy };

/// What is allocated.
struct MixedPrecisionOptions {
  double average_bits = 4;  ///< of a multiplication
  std::vector<int> widths = {2, 3, 4, 5, 6, 8};
  PrecisionSearch search = PrecisionSearch::exact;
};

/// The widths of the sites of a model, and what is predicted of them.
struct PrecisionPlan {
  std::map<std::string, SiteBits> site_bits;
  double average_bits = 0;    ///< of a multiplication
  double predicted_loss = 0;  ///< sum of the losses of the sites
};

/// The residual stream of a float run in front of each block, and behind the last.
[[nodiscard]] inline std::vector<MatrixF> stream_of(const Vit& vit, const ImageView& images, FloatProduct product) {
  std::vector<MatrixF> stream;
  const auto keep = [&](Index, MatrixView<const float> x) { stream.push_back(as_eigen(x)); };
  FloatEngine engine(product);
  static_cast<void>(vit.forward(images, engine, {.images_at_a_time = images.count, .hidden = keep}));
  return stream;
}

/// Logits of `vit` from the stream in front of block `first` on.
[[nodiscard]] inline MatrixF logits_from(const Vit& vit, MatrixF x, std::size_t first, Engine& engine) {
  RunWorkspace workspace;
  for (std::size_t b = first; b < vit.blocks.size(); ++b) {
    vit.blocks[b].forward(mutable_view(x), vit.tokens(), engine, workspace);
  }
  const Index images = x.rows() / vit.tokens();
  const MatrixView<const float> class_rows(x.data(), images, vit.dim(), vit.tokens() * vit.dim(), 1);
  MatrixF normalized(images, vit.dim()), logits(images, vit.classes());
  vit.norm.forward(class_rows, mutable_view(normalized), engine.executor());
  vit.head.forward(view(normalized), 1, mutable_view(logits), engine, workspace.main());
  return logits;
}

/// The block that a site belongs to; the number of blocks for the head.
[[nodiscard]] inline std::size_t block_of(const Vit& vit, const Site& site) {
  for (std::size_t b = 0; b < vit.blocks.size(); ++b) {
    if (site.index <= vit.blocks[b].mlp.fc2.site.index) return b;
  }
  return vit.blocks.size();
}

/// The layers of an allocation, in the order of `precision_sites`, by running `recipe` once for each width: `losses_of`
/// gives the loss of each of these sites of a model whose sites all have that width.
[[nodiscard]] inline std::vector<LayerOptions> losses_by_width(
    const Vit& vit, const VitRecipeOptions& options, const std::vector<int>& widths, VitRecipe recipe,
    FunctionRef<std::vector<double>(const QuantizedVit& quantized)> losses_of) {
  const std::vector<Site> sites = precision_sites(vit);
  std::vector<LayerOptions> layers(sites.size());
  for (const int bits : widths) {
    VitRecipeOptions uniform = options;
    uniform.weight_bits = uniform.activation_bits = bits;
    const std::vector<double> losses = losses_of(recipe(uniform));
    for (std::size_t s = 0; s < sites.size(); ++s) {
      layers[s].costs.push_back(multiplications(vit, sites[s]) * bits);
      layers[s].losses.push_back(losses[s]);
    }
  }
  return layers;
}

/// What each site loses at each width, by the divergence of the logits with that site alone in codes: the layers of an
/// allocation, in the order of `precision_sites`. Runs the recipe once for each width, and for each width and site the
/// blocks from the site's own on, over the images that `options` draws, all at once. Class: bounded.
[[nodiscard]] inline std::vector<LayerOptions> divergence_losses(const Vit& vit, const ImageView& calibration,
                                                                 const VitRecipeOptions& options,
                                                                 const std::vector<int>& widths, VitRecipe recipe) {
  const Images drawn = draw_images(calibration, options.images, options.seed);
  const std::vector<MatrixF> stream = stream_of(vit, drawn.view(), options.float_product);
  FloatEngine floats(options.float_product, {.executor = options.executor});
  const MatrixF reference = logits_from(vit, stream.back(), vit.blocks.size(), floats);
  return losses_by_width(vit, options, widths, recipe, [&](const QuantizedVit& quantized) {
    SiteSpecs specs = float_specs(quantized.specs().sites());
    std::vector<double> losses;
    for (const Site& site : precision_sites(vit)) {
      specs.set(site.name, quantized.specs().at(site));
      IntegerEngine engine(specs, options.executor, options.float_product);
      const std::size_t first = block_of(vit, site);
      losses.push_back(logit_divergence(reference, logits_from(quantized.model(), stream[first], first, engine)));
      specs.set(site.name, FloatSpec{});
    }
    return losses;
  });
}

/// Refuses widths and averages that no plan can have.
inline void require_precision_options(std::string_view where, const MixedPrecisionOptions& options) {
  if (options.widths.empty()) raise(where, "widths is empty, expected at least one");
  for (std::size_t i = 0; i < options.widths.size(); ++i) {
    require_uniform_bits(where, "widths", options.widths[i]);
    if (i > 0 && options.widths[i] <= options.widths[i - 1]) raise(where, "widths do not grow");
  }
  if (!(options.average_bits >= options.widths.front() && options.average_bits <= 8)) {
    raise(where, "average_bits is ", options.average_bits, ", expected ", options.widths.front(),
          " (the least of widths) to 8");
  }
}

/// The plan of least predicted loss (or the greedy one) for `layers` in the order of `precision_sites`. Errors: those
/// of the allocations. Class: exact.
[[nodiscard]] inline PrecisionPlan plan_precision(const Vit& vit, const std::vector<LayerOptions>& layers,
                                                  const MixedPrecisionOptions& options) {
  require_precision_options("plan_precision", options);
  const std::vector<Site> sites = precision_sites(vit);
  std::int64_t all = 0;
  for (const Site& site : sites) all += multiplications(vit, site);
  const auto budget = static_cast<std::int64_t>(std::floor(options.average_bits * static_cast<double>(all)));
  const Allocation found =
      options.search == PrecisionSearch::exact ? allocate_exact(layers, budget) : allocate_greedy(layers, budget);
  PrecisionPlan plan;
  for (std::size_t s = 0; s < sites.size(); ++s) {
    const int bits = options.widths[static_cast<std::size_t>(found.choices[s])];
    plan.site_bits[sites[s].name] = {bits, bits};
  }
  plan.average_bits = static_cast<double>(found.cost) / static_cast<double>(all);
  plan.predicted_loss = found.loss;
  return plan;
}

namespace recipes {

/// A model in mixed precision, and the plan that it follows.
struct MixedPrecisionVit {
  QuantizedVit model;
  PrecisionPlan plan;
};

/// Quantizes `vit` by `recipe` with a width for each site, so that a multiplication has `mixed.average_bits` bits on
/// average. `options.weight_bits` remain those of the patch embedding.
///
///     const auto mixed = hs::recipes::mixed_precision(vit, images, {}, {.average_bits = 3},
///         [&](const hs::VitRecipeOptions& o) { return hs::recipes::repq(vit, images, o); });
///
/// Errors: those of the recipe; widths that do not grow, an average that they do not reach. Class: bounded.
[[nodiscard]] inline MixedPrecisionVit mixed_precision(const Vit& vit, const ImageView& calibration,
                                                       const VitRecipeOptions& options,
                                                       const MixedPrecisionOptions& mixed, VitRecipe recipe) {
  require_vit_options("mixed_precision", vit, calibration, options);
  require_precision_options("mixed_precision", mixed);
  const std::vector<LayerOptions> layers = divergence_losses(vit, calibration, options, mixed.widths, recipe);
  PrecisionPlan plan = plan_precision(vit, layers, mixed);
  VitRecipeOptions with_plan = options;
  with_plan.site_bits = plan.site_bits;
  return {recipe(with_plan), std::move(plan)};
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
