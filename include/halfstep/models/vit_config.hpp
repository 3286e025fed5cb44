#pragma once

/// \file
/// The sizes of a vision transformer: from a checkpoint's metadata, from its tensors, or from the caller.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/safetensors.hpp"

#include <optional>
#include <string>
#include <string_view>
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

/// Reads the fields of a checkpoint's `config`.
class VitConfigReader {
 public:
  VitConfigReader(const SafetensorsFile& file, std::string_view text) : file_(file) {
    require_json_bounds(text, {}, file.path());
    config_ = nlohmann::json::parse(text, nullptr, false);
    if (!config_.is_object()) fail(IoErrorCode::syntax, "is not a JSON object");
  }

  [[nodiscard]] VitConfig read() const {
    VitConfig config;
    config.image_size = sizes("image_size");
    config.patch_size = sizes("patch_size");
    config.channels = size("in_chans");
    config.dim = size("dim");
    config.depth = size("depth");
    config.heads = size("heads");
    config.classes = size("num_classes");
    config.hidden = hidden(config.dim);
    if (const std::vector<float> epsilon = positive_numbers("layer_norm_eps"); !epsilon.empty()) {
      config.epsilon = epsilon.front();
    }
    config.mean = numbers("mean");
    config.deviation = positive_numbers("std");
    require_erf();
    return config;
  }

 private:
  static constexpr double largest_size = 1 << 24;

  template <class... Parts>
  [[noreturn]] void fail(IoErrorCode code, const Parts&... parts) const {
    raise_io(code, file_.path(), "metadata \"config\" ", parts...);
  }

  /// One number or a list of them; none if there is no such key.
  [[nodiscard]] std::vector<double> values(const char* key) const {
    std::vector<double> found;
    const auto entry = config_.find(key);
    if (entry == config_.end() || entry->is_null()) return found;
    const auto add = [&](const nlohmann::json& value) {
      if (!value.is_number()) fail(IoErrorCode::type, "has \"", key, "\" that is neither a number nor a list of them");
      found.push_back(value.get<double>());
    };
    if (!entry->is_array()) add(*entry);
    if (entry->is_array()) {
      for (const nlohmann::json& value : *entry) add(value);
    }
    return found;
  }

  [[nodiscard]] std::vector<Index> sizes(const char* key) const {
    std::vector<Index> found;
    for (const double value : values(key)) {
      if (!(value >= 1 && value <= largest_size) || value != static_cast<double>(static_cast<Index>(value))) {
        fail(IoErrorCode::range, "has ", value, " in \"", key, "\", expected an integer of 1 to 2^24");
      }
      found.push_back(static_cast<Index>(value));
    }
    if (found.size() > 2) fail(IoErrorCode::range, "has ", found.size(), " sizes in \"", key, "\", expected 1 or 2");
    return found;
  }

  [[nodiscard]] std::optional<Index> size(const char* key) const {
    const std::vector<Index> found = sizes(key);
    if (found.size() > 1) fail(IoErrorCode::range, "has a list in \"", key, "\", expected one integer");
    return found.empty() ? std::nullopt : std::optional(found.front());
  }

  [[nodiscard]] std::vector<float> numbers(const char* key) const {
    std::vector<float> found;
    for (const double value : values(key)) found.push_back(static_cast<float>(value));
    return found;
  }

  [[nodiscard]] std::vector<float> positive_numbers(const char* key) const {
    std::vector<float> found = numbers(key);
    for (const float value : found) {
      if (!(value > 0)) fail(IoErrorCode::range, "has ", value, " in \"", key, "\", expected positive numbers");
    }
    return found;
  }

  /// `mlp_ratio` times `dim`, cut to an integer as timm does.
  [[nodiscard]] std::optional<Index> hidden(std::optional<Index> dim) const {
    const std::vector<float> ratio = positive_numbers("mlp_ratio");
    if (ratio.empty() || !dim) return std::nullopt;
    const double hidden = static_cast<double>(ratio.front()) * static_cast<double>(*dim);
    if (!(hidden <= largest_size)) fail(IoErrorCode::range, "has ", ratio.front(), " as \"mlp_ratio\"");
    return static_cast<Index>(hidden);
  }

  /// The other GELU gives other results, so it is refused rather than replaced.
  void require_erf() const {
    const auto entry = config_.find("gelu");
    if (entry == config_.end() || (entry->is_string() && entry->get<std::string>() == "erf")) return;
    fail(IoErrorCode::unsupported, "asks for \"gelu\": ", in_quotes(entry->dump()), ", only \"erf\" is known");
  }

  const SafetensorsFile& file_;
  nlohmann::json config_;
};

/// What the metadata of `file` says; nothing where it has no `config`. Errors: E_UNSUPPORTED for another `model_type`
/// than `vit` and for a GELU that is not exact; E_SYNTAX, E_TYPE, E_RANGE for a `config` that cannot be read.
[[nodiscard]] inline VitConfig read_vit_config(const SafetensorsFile& file) {
  const Metadata& metadata = file.metadata();
  if (const auto type = metadata.find("model_type"); type != metadata.end() && type->second != "vit") {
    raise_io(IoErrorCode::unsupported, file.path(), "holds a model of type ", in_quotes(type->second),
             ", expected \"vit\"");
  }
  const auto config = metadata.find("config");
  return config == metadata.end() ? VitConfig() : VitConfigReader(file, config->second).read();
}

}  // namespace halfstep::inline HALFSTEP_ABI
