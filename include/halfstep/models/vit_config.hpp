#pragma once

/// \file
/// The sizes of a vision transformer: from a checkpoint's metadata, from its tensors, or from the caller.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/models/config_reader.hpp"

#include <optional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What may be known of a vision transformer before its tensors are read; what is empty is found out from them where
/// they tell. Of the metadata (`config`, JSON) these are the keys.
struct VitConfig {
  std::vector<Index> image_size = {};  ///< `image_size`: height and width, or one number for both
  std::vector<Index> patch_size = {};  ///< `patch_size`: likewise
  std::optional<Index> channels = {};  ///< `in_chans`
  std::optional<Index> dim = {};       ///< `dim`
  std::optional<Index> depth = {};     ///< `depth`: blocks
  std::optional<Index> heads = {};     ///< `heads`: no tensor tells
  std::optional<Index> hidden = {};    ///< of the perceptron; `mlp_ratio` times `dim`
  std::optional<Index> classes = {};   ///< `num_classes`
  std::optional<float> epsilon = {};   ///< `layer_norm_eps`, 1e-6 where nobody says
  std::vector<float> mean = {};        ///< `mean` of pixels in [0, 1]: one per channel, or one for all
  std::vector<float> deviation = {};   ///< `std`: likewise
};

/// The hidden channels of a perceptron: `mlp_ratio` times `dim`, cut to an integer as timm does.
[[nodiscard]] inline std::optional<Index> read_hidden(const ConfigReader& config, std::optional<Index> dim) {
  const std::vector<float> ratio = config.positive_numbers("mlp_ratio");
  if (ratio.empty() || !dim) return std::nullopt;
  const double hidden = static_cast<double>(ratio.front()) * static_cast<double>(*dim);
  if (!(hidden <= ConfigReader::largest_size)) {
    config.fail(IoErrorCode::range, "has ", ratio.front(), " as \"mlp_ratio\"");
  }
  return static_cast<Index>(hidden);
}

/// What the metadata of `file` says; nothing where it has no `config`. Errors: E_UNSUPPORTED for another `model_type`
/// than `vit` and for a GELU that is not exact (the other one gives other results, so it is refused rather than
/// replaced); E_SYNTAX, E_TYPE, E_RANGE for a `config` that cannot be read.
[[nodiscard]] inline VitConfig read_vit_config(const SafetensorsFile& file) {
  const std::optional<ConfigReader> reader = read_config(file, "vit");
  VitConfig config;
  if (!reader) return config;
  config.image_size = reader->sizes("image_size");
  config.patch_size = reader->sizes("patch_size");
  config.channels = reader->size("in_chans");
  config.dim = reader->size("dim");
  config.depth = reader->size("depth");
  config.heads = reader->size("heads");
  config.classes = reader->size("num_classes");
  config.hidden = read_hidden(*reader, config.dim);
  config.epsilon = reader->positive_number("layer_norm_eps");
  config.mean = reader->numbers("mean");
  config.deviation = reader->positive_numbers("std");
  reader->require_only("gelu", "erf");
  return config;
}

}  // namespace halfstep::inline HALFSTEP_ABI
