#pragma once

/// \file
/// Round to nearest with ranges from the data, the baseline of every method (`min-max`): nothing is learned, nothing is
/// moved from activations to weights.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/site_observers.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <cstdint>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// Widths, and the images that calibrate.
struct NearestOptions {
  int weight_bits = 8;                         ///< 2 to 8, per output row
  int activation_bits = 8;                     ///< 2 to 8, per tensor, static
  int pixel_bits = 8;                          ///< of the patch embedding's input
  Index images = 32;                           ///< drawn without replacement
  std::uint64_t seed = 0;                      ///< of the draw
  FloatProduct float_product = eigen_product;  ///< of the calibration run
  ExecutorRef executor = {};                   ///< results do not depend on it
};

/// Quantizes `vit`: every weight affine per output row, rounded to nearest, its range the least and largest weight; the
/// input of every linear layer, queries, keys, values and probabilities affine per tensor, their range the least and
/// largest value in a float run over `options.images` of `calibration`. Ranges are widened to hold 0.
///
/// Errors: widths other than 2 to 8; fewer images than are to be drawn, or none; images of another shape than the
/// model's.
/// Class: bounded, as the float product of the calibration run; everything after it is exact.
[[nodiscard]] inline QuantizedVit nearest(const Vit& vit, const ImageView& calibration,
                                          const NearestOptions& options = {}) {
  require_uniform_bits("nearest", "weight_bits", options.weight_bits);
  require_uniform_bits("nearest", "activation_bits", options.activation_bits);
  require_uniform_bits("nearest", "pixel_bits", options.pixel_bits);
  if (options.images < 1 || options.images > calibration.count) {
    raise("nearest", "images is ", options.images, ", expected 1 to the ", calibration.count, " of calibration");
  }
  SiteObservers<MinMax> seen(vit.sites);
  const auto observe = [&](const ProductRecord& record) { seen.observe(record); };
  RecordingEngine recording(options.float_product, observe);
  const Images drawn =
      pick_images(calibration, Random(options.seed).sample_without_replacement(calibration.count, options.images));
  static_cast<void>(vit.forward(drawn.view(), recording));

  SiteSpecs specs(vit.sites);
  vit.for_each_linear([&](const Linear& layer) {
    const bool pixels = layer.site == vit.patch_embed.proj.site;
    const int input_bits = pixels ? options.pixel_bits : options.activation_bits;
    specs.set(layer.site.name,
              LinearSpec{pack_nearest(layer.weight_view(), options.weight_bits, options.executor), options.weight_bits,
                         uniform_activation(seen.lhs(layer.site).range(), input_bits)});
  });
  for (const Site& site : vit.sites.all()) {
    if (site.kind != SiteKind::attention) continue;
    specs.set(site.name, AttentionSpec{{uniform_activation(seen.lhs(site).range(), options.activation_bits)},
                                       {uniform_activation(seen.rhs(site).range(), options.activation_bits)}});
  }
  return {vit, std::move(specs)};
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
