#pragma once

/// \file
/// Round to nearest with ranges from the data, the baseline of every method (`min-max`): nothing is learned, nothing is
/// moved from activations to weights.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/site_observers.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_options.hpp"

#include <utility>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// Widths, and the images that calibrate.
using NearestOptions = VitRecipeOptions;

/// Quantizes `vit`: every weight affine per output row, rounded to nearest, its range the least and largest weight; the
/// input of every linear layer, queries, keys, values and probabilities affine per tensor, their range the least and
/// largest value in a float run over `options.images` of `calibration`. Ranges are widened to hold 0.
///
/// Errors: widths other than 2 to 8; fewer images than are to be drawn, or none; images of another shape than the
/// model's.
/// Class: bounded, as the float product of the calibration run; everything after it is exact.
[[nodiscard]] inline QuantizedVit nearest(const Vit& vit, const ImageView& calibration,
                                          const NearestOptions& options = {}) {
  require_vit_options("nearest", vit, calibration, options);
  SiteObservers<MinMax> seen(vit.sites);
  const auto observe = [&](const ProductRecord& record) { seen.observe(record); };
  RecordingEngine recording(options.float_product, observe);
  const Images drawn = draw_images(calibration, options.images, options.seed);
  static_cast<void>(vit.forward(drawn.view(), recording));

  SiteSpecs specs(vit.sites);
  vit.for_each_linear([&](const Linear& layer) {
    const SiteBits bits = bits_of(options, vit, layer.site);
    specs.set(layer.site.name, LinearSpec{pack_nearest(layer.weight_view(), bits.weight, options.executor), bits.weight,
                                          uniform_activation(seen.lhs(layer.site).range(), bits.activation)});
  });
  for (const Site& site : vit.sites.all()) {
    if (site.kind != SiteKind::attention) continue;
    const int bits = bits_of(options, vit, site).activation;
    specs.set(site.name, AttentionSpec{{uniform_activation(seen.lhs(site).range(), bits)},
                                       {uniform_activation(seen.rhs(site).range(), bits)}});
  }
  return {vit, std::move(specs)};
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
