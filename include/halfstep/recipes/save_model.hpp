#pragma once

/// \file
/// A quantized model as one file: `save`. A safetensors file of
///
///     the float parameters that runs need              under the names of the float model's checkpoint (norms, biases)
///     packed.<site>.codes, .scale, ...                 the weight of each linear site with codes
///     (io/packed_layout.hpp) packed.<site>.transform                          F32, of a transform of its input
///     metadata "halfstep.model": "1"                   the version of what follows
///     metadata "halfstep.site.<site>"                  JSON: how each site runs
///
///     {"kind": "float"}
///     {"kind": "linear", "weight_bits": 4, "input": rule, "transform": "none"}
///     {"kind": "attention", "lhs": [rule, ...], "rhs": [rule, ...]}
///
/// beside "model_type" and "config", which say what a checkpoint's do. Rules: io/activation_description.hpp, and
/// {"rule": "split", "threshold": 6, "row_magnitude": 0, "outlier_weights": 0}, numbers of `RowMagnitude` and
/// `OutlierWeights`. Transforms: "none"; "multiply" and "add", by F32 [K]; "rotate", by a base F32 [n, n] and "factor".

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/activation_description.hpp"
#include "halfstep/io/atomic_file.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/owned_tensors.hpp"
#include "halfstep/io/packed_layout.hpp"
#include "halfstep/io/quantized_layout.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "halfstep/io/save_packed.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/layers/row_transforms.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/recipes/model_tensors.hpp"
#include "halfstep/recipes/quantized_model.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The number under "halfstep.model". A reader refuses a higher one.
inline constexpr int quantized_model_version = 1;
inline constexpr std::string_view quantized_model_key = "halfstep.model";

/// The metadata key of a site, and what the parts of its weight are called.
[[nodiscard]] inline std::string site_key(std::string_view site) { return "halfstep.site." + std::string(site); }
[[nodiscard]] inline std::string packed_name(std::string_view site) {
  return std::string(packed_prefix) + std::string(site);
}

/// Whether runs read the float weight of a site.
[[nodiscard]] inline bool needs_float_weight(const SiteSpec& spec) {
  const auto* linear = std::get_if<LinearSpec>(&spec);
  if (linear == nullptr) return true;
  const auto* split = std::get_if<SplitInput>(&linear->input);
  return split != nullptr && split->outlier_weights == OutlierWeights::floats;
}

/// Collects the tensors and metadata of a quantized model.
class QuantizedModelTensors {
 public:
  /// `model` must outlive the object. Errors: those of `save`.
  template <class Model>
  explicit QuantizedModelTensors(const QuantizedModel<Model>& model) {
    const SiteSpecs& specs = model.specs();
    add_model(tensors_, metadata_, model.model(),
              [&](const Linear& layer) { return needs_float_weight(specs.at(layer.site)); });
    metadata_.emplace(quantized_format_key, std::to_string(quantized_format_version));
    metadata_.emplace(quantized_model_key, std::to_string(quantized_model_version));
    for (const Site& site : specs.sites().all()) metadata_[site_key(site.name)] = describe(site, specs.at(site)).dump();
  }

  [[nodiscard]] const OwnedTensors& tensors() const { return tensors_; }
  [[nodiscard]] const Metadata& metadata() const { return metadata_; }

 private:
  [[nodiscard]] nlohmann::json describe(const Site& site, const SiteSpec& spec) {
    if (const auto* linear = std::get_if<LinearSpec>(&spec)) return describe(site, *linear);
    if (const auto* attention = std::get_if<AttentionSpec>(&spec)) {
      return {{"kind", "attention"},
              {"lhs", describe("lhs of " + site.name, attention->lhs)},
              {"rhs", describe("rhs of " + site.name, attention->rhs)}};
    }
    return {{"kind", "float"}};
  }

  [[nodiscard]] static nlohmann::json describe(const std::string& subject, const std::vector<Activation>& rules) {
    nlohmann::json json = nlohmann::json::array();
    for (const Activation& rule : rules) json.push_back(describe_activation(rule, subject));
    return json;
  }

  [[nodiscard]] nlohmann::json describe(const Site& site, const LinearSpec& spec) {
    const std::string name = packed_name(site.name);
    add_packed(tensors_, metadata_, name, spec.weight);
    nlohmann::json json = {{"kind", "linear"}, {"weight_bits", spec.weight_bits}};
    if (const auto* split = std::get_if<SplitInput>(&spec.input)) {
      json["input"] = {{"rule", "split"},
                       {"threshold", split->threshold},
                       {"row_magnitude", static_cast<int>(split->row_magnitude)},
                       {"outlier_weights", static_cast<int>(split->outlier_weights)}};
    } else {
      json["input"] = describe_activation(std::get<Activation>(spec.input), "input of " + site.name);
    }
    describe_transform(site, name, spec.transform, json);
    return json;
  }

  void describe_transform(const Site& site, const std::string& name, const InputTransform& transform,
                          nlohmann::json& json) {
    const Index channels = site.weight.cols;
    json["transform"] = "none";
    if (!transform) return;
    if (const auto* shift = transform.target<ShiftExponents>()) {
      json["transform"] = "multiply";
      tensors_.add(part_name(name, "transform"), DType::F32, {channels}, shift->powers);
    } else if (const auto* add = transform.target<AddToChannels>()) {
      json["transform"] = "add";
      tensors_.add(part_name(name, "transform"), DType::F32, {channels}, add->numbers);
    } else if (const auto* rotate = transform.target<RotateInput>()) {
      json["transform"] = "rotate";
      json["factor"] = rotate->rotation.factor;
      tensors_.add(part_name(name, "transform"), DType::F32, {rotate->rotation.order, rotate->rotation.order},
                   rotate->rotation.base);
    } else {
      raise_io(IoErrorCode::not_representable, site.name, "has an input transform that is none of the library's");
    }
  }

  OwnedTensors tensors_;
  Metadata metadata_;
};

/// Writes `model` as one file, which `load_quantized_vit` or `load_quantized_llama` read: the logits of what they give
/// are those of `model` to the bit, on the same machine and engine. The same model gives the same bytes. Nothing
/// appears under `path` before the file is complete. Returns its size in bytes.
///
/// Errors: E_NOT_REPRESENTABLE, naming the site, for rules of quantizers that io/activation_description.hpp does not
/// list and input transforms of a program's own, and for models that a checkpoint cannot say; those of
/// `SafetensorsWriter`.
template <class Model>
std::uint64_t save(const std::filesystem::path& path, const QuantizedModel<Model>& model,
                   Existing existing = Existing::refuse) {
  const QuantizedModelTensors saved(model);
  return write_each_tensor(path, saved.tensors().tensors(), {.metadata = saved.metadata(), .existing = existing});
}

}  // namespace halfstep::inline HALFSTEP_ABI
