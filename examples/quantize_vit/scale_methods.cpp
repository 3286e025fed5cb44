/// Methods that move scales, shifts or noise between activations and weights.

#include <halfstep/recipes/llm_fp4_vit.hpp>
#include <halfstep/recipes/lrp_qvit.hpp>
#include <halfstep/recipes/mptq.hpp>
#include <halfstep/recipes/nearest.hpp>
#include <halfstep/recipes/noisy_quant.hpp>
#include <halfstep/recipes/outlier_suppression_plus_vit.hpp>
#include <halfstep/recipes/smooth_quant_vit.hpp>

#include "methods.hpp"

namespace quantize_vit {

namespace {

namespace hs = halfstep;
namespace recipes = halfstep::recipes;

/// NoisyQuant on top of the baseline, as published.
hs::QuantizedVit noisy(const hs::Vit& vit, const hs::ImageView& calibration, const hs::VitRecipeOptions& options) {
  const hs::Images drawn = hs::draw_images(calibration, options.images, options.seed);
  return recipes::noisy_quant(recipes::nearest(vit, calibration, options), drawn.view(),
                              {.seed = options.seed, .float_product = options.float_product});
}

}  // namespace

std::vector<Method> scale_methods() {
  const auto smooth_quant = [](const auto&... given) { return recipes::smooth_quant(given...); };
  const auto suppressed = [](const auto&... given) { return recipes::outlier_suppression_plus(given...); };
  const auto llm_fp4 = [](const auto&... given) { return recipes::llm_fp4(given...); };
  const auto mptq = [](const auto&... given) { return recipes::mptq(given...); };
  const auto lrp_qvit = [](const auto&... given) { return recipes::lrp_qvit(given...); };
  return {{"noisy", noisy},
          {"smoothquant", smooth_quant},
          {"osplus", suppressed},
          {.id = "llm-fp4", .quantize = llm_fp4, .widths = {4}, .sides = Sides::alike},
          {.id = "mptq", .quantize = mptq, .widths = {3, 4, 5, 6, 8}, .search = hs::PrecisionSearch::greedy},
          {"lrp", lrp_qvit}};
}

}  // namespace quantize_vit
