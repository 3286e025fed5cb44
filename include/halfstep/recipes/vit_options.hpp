#pragma once

/// \file
/// What all recipes for vision transformers are told: widths, of all sites or site by site, and which images calibrate.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Widths of one site. The operands of attention products both have `activation` bits.
struct SiteBits {
  int weight = 8;      ///< 2 to 8; of a linear site
  int activation = 8;  ///< 2 to 8
  friend bool operator==(const SiteBits&, const SiteBits&) = default;
};

/// Widths, and the images that calibrate.
struct VitRecipeOptions {
  int weight_bits = 8;                          ///< 2 to 8, of every site that `site_bits` does not name
  int activation_bits = 8;                      ///< likewise
  int pixel_bits = 8;                           ///< of the patch embedding's input, unless `site_bits` names that site
  std::map<std::string, SiteBits> site_bits{};  ///< mixed precision: the widths of sites, by name
  Index images = 32;                            ///< drawn without replacement
  std::uint64_t seed = 0;                       ///< of the draw
  FloatProduct float_product = eigen_product;   ///< of the calibration run
  ExecutorRef executor = {};                    ///< results do not depend on it
};

/// The widths of `site` of `vit`.
[[nodiscard]] inline SiteBits bits_of(const VitRecipeOptions& options, const Vit& vit, const Site& site) {
  if (const auto found = options.site_bits.find(site.name); found != options.site_bits.end()) return found->second;
  const bool is_pixels = site == vit.patch_embed.proj.site;
  return {options.weight_bits, is_pixels ? options.pixel_bits : options.activation_bits};
}

/// Refuses options that no calibration of `vit` can follow, before work is done with them.
inline void require_vit_options(std::string_view where, const Vit& vit, const ImageView& calibration,
                                const VitRecipeOptions& options) {
  require_uniform_bits(where, "weight_bits", options.weight_bits);
  require_uniform_bits(where, "activation_bits", options.activation_bits);
  require_uniform_bits(where, "pixel_bits", options.pixel_bits);
  for (const auto& [name, bits] : options.site_bits) {
    static_cast<void>(vit.sites.at(name));
    require_uniform_bits(where, "site_bits[\"" + name + "\"].weight", bits.weight);
    require_uniform_bits(where, "site_bits[\"" + name + "\"].activation", bits.activation);
  }
  if (options.images < 1 || options.images > calibration.count) {
    raise(where, "images is ", options.images, ", expected 1 to the ", calibration.count, " of calibration");
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
