#pragma once

/// \file
/// A quantized model out of a file that `save` wrote: `load_quantized_vit`, `load_quantized_llama`. What is read:
/// recipes/save_model.hpp.

#include "halfstep/calibrators/transform/rotation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/activation_description.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/load_packed.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/layers/input_transform.hpp"
#include "halfstep/layers/row_transforms.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/parameter_reader.hpp"
#include "halfstep/models/vit.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/save_model.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Reads the specification of one site; everything that the file says of it is checked before it is used.
class SiteReader {
 public:
  SiteReader(const SafetensorsFile& file, const Site& site)
      : tensors_(file, "site", site.name), file_(file), site_(site), activations_(tensors_) {}

  [[nodiscard]] SiteSpec read() const {
    const nlohmann::json json = tensors_.description(site_key(site_.name));
    const std::string kind = tensors_.text(json, "kind");
    if (kind == "float") return FloatSpec{};
    if (kind == "linear" && site_.kind == SiteKind::linear) return linear(json);
    if (kind == "attention" && site_.kind == SiteKind::attention) {
      return AttentionSpec{rules(json, "lhs"), rules(json, "rhs")};
    }
    tensors_.fail(IoErrorCode::unsupported, "is of the kind ", in_quotes(kind));
  }

 private:
  [[nodiscard]] std::vector<Activation> rules(const nlohmann::json& json, const char* operand) const {
    const auto entry = json.find(operand);
    if (entry == json.end() || !entry->is_array()) tensors_.fail(IoErrorCode::type, "has no list \"", operand, "\"");
    const auto count = static_cast<Index>(entry->size());
    if (count != 1 && count != site_.parts) {
      tensors_.fail(IoErrorCode::mismatch, "has ", count, " rules as \"", operand, "\", expected 1 or ", site_.parts);
    }
    std::vector<Activation> read;
    for (const nlohmann::json& rule : *entry) {
      read.push_back(activations_.read(rule));
      if (!read.back().keeps_floats() && read.back().block_size() == 0) continue;
      tensors_.fail(IoErrorCode::unsupported, "has a rule as \"", operand, "\" that no product of activations takes");
    }
    return read;
  }

  [[nodiscard]] LinearSpec linear(const nlohmann::json& json) const {
    LinearSpec spec;
    spec.weight = load_packed(file_, packed_name(site_.name));
    if (spec.weight.shape() != site_.weight) {
      tensors_.fail(IoErrorCode::mismatch, "has a weight of shape ", spec.weight.shape(), ", expected ", site_.weight);
    }
    spec.weight_bits = static_cast<int>(tensors_.number(json, "weight_bits", 32));
    const auto input = json.find("input");
    if (input == json.end() || !input->is_object()) tensors_.fail(IoErrorCode::type, "has no object \"input\"");
    const bool is_split = tensors_.text(*input, "rule") == "split";
    if (is_split) {
      spec.input = split_input(*input);
    } else {
      spec.input = activations_.read(*input);
    }
    spec.transform = transform(json);
    require_meeting(spec);
    return spec;
  }

  /// Refuses an input that the weight cannot meet: a product would refuse it, later.
  void require_meeting(const LinearSpec& spec) const {
    const auto* activation = std::get_if<Activation>(&spec.input);
    if (activation == nullptr && spec.transform) {
      tensors_.fail(IoErrorCode::mismatch, "has an input that is split, and a transform");
    }
    if (activation == nullptr ? spec.weight.needs_floats()
                              : spec.weight.needs_floats() && !activation->may_keep_floats()) {
      tensors_.fail(IoErrorCode::mismatch, "has a weight of minifloats and an input of codes");
    }
    if (activation != nullptr && !activation->fits_blocks(spec.weight.layout())) {
      tensors_.fail(IoErrorCode::mismatch, "has an input in blocks of ", activation->block_size(),
                    " and a weight in groups of ", spec.weight.layout().group);
    }
  }

  [[nodiscard]] SplitInput split_input(const nlohmann::json& json) const {
    return {static_cast<float>(tensors_.real(json, "threshold", 0, 1e38)),
            static_cast<RowMagnitude>(tensors_.number(json, "row_magnitude", 1)),
            static_cast<OutlierWeights>(tensors_.number(json, "outlier_weights", 1))};
  }

  [[nodiscard]] InputTransform transform(const nlohmann::json& json) const {
    const std::string kind = tensors_.text(json, "transform");
    if (kind == "none") return {};
    const Index channels = site_.weight.cols;
    const std::string part = part_name(packed_name(site_.name), "transform");
    if (kind == "rotate") return rotation(json, part);
    if (kind != "multiply" && kind != "add") {
      tensors_.fail(IoErrorCode::unsupported, "has the input transform ", in_quotes(kind));
    }
    file_.require_shape(part, {channels}, "inputs");
    std::vector<float> numbers = std::move(file_.matrix(part).values);
    if (kind == "add") return AddToChannels{std::move(numbers)};
    std::vector<std::int32_t> shifts;
    for (const float power : numbers) {
      int exponent = 0;
      if (std::frexp(power, &exponent) != 0.5f) {
        tensors_.fail(IoErrorCode::value, "multiplies an input by ", power, ", expected a power of two");
      }
      shifts.push_back(exponent - 1);
    }
    return ShiftExponents(shifts);
  }

  [[nodiscard]] InputTransform rotation(const nlohmann::json& json, const std::string& part) const {
    const std::vector<Index>& shape = file_.tensor(part).shape;
    Rotation r;
    r.size = site_.weight.cols;
    r.order = shape.size() == 2 && shape[0] == shape[1] ? shape[0] : 0;
    const Index runs = r.order > 0 && r.size % r.order == 0 ? r.size / r.order : 0;
    if (runs < 1 || (runs & (runs - 1)) != 0) {
      tensors_.fail(IoErrorCode::shape, "is rotated by a base of shape ", shape_text(shape),
                    ", expected an order that ", "divides ", r.size, " into a power of two");
    }
    r.base = std::move(file_.matrix(part).values);
    r.factor = static_cast<float>(tensors_.real(json, "factor", 1e-30, 1e30));
    return RotateInput{std::move(r)};
  }

  DescribedTensors tensors_;
  const SafetensorsFile& file_;
  const Site& site_;
  ActivationReader activations_;
};

/// Which weights of a file are codes, by their descriptions alone.
class PackedShapes {
 public:
  explicit PackedShapes(const SafetensorsFile& file) : file_(file) {
    DescribedTensors(file, "model", "").require_version(quantized_model_key, quantized_model_version);
  }

  /// The shape of the weight of a site that has codes and no floats.
  [[nodiscard]] std::optional<Shape> operator()(const std::string& site) const {
    const std::string name = packed_name(site);
    if (file_.contains(site + ".weight") || !file_.contains(part_name(name, "codes"))) return std::nullopt;
    const std::vector<Index>& sizes = file_.tensor(part_name(name, "codes")).shape;
    if (sizes.size() < 2) return std::nullopt;
    const bool is_shared = file_.contains(part_name(name, "cols"));
    const Index cols = is_shared ? first_of(part_name(name, "cols")) : sizes.back();
    return Shape{sizes[sizes.size() - 2], cols};
  }

 private:
  [[nodiscard]] Index first_of(const std::string& name) const {
    const auto numbers = file_.integers<std::int64_t>(name);
    return numbers.empty() ? 0 : numbers.front();
  }

  const SafetensorsFile& file_;
};

/// The specifications of the sites of a model whose float parameters were read from `file`.
[[nodiscard]] inline SiteSpecs load_specs(const SafetensorsFile& file, const SiteList& sites) {
  SiteSpecs specs(sites);
  for (const Site& site : sites.all()) {
    SiteSpec spec = SiteReader(file, site).read();
    if (site.kind == SiteKind::linear && needs_float_weight(spec) && PackedShapes(file)(site.name)) {
      raise_io(IoErrorCode::not_found, file.path(), "site ", in_quotes(site.name), " runs in float, and has no tensor ",
               in_quotes(site.name + ".weight"));
    }
    specs.set(site.name, std::move(spec));
  }
  return specs;
}

/// The quantized vision transformer of an open file that `save` wrote. Its layers have no float weights where they have
/// codes: a float engine refuses to run it, the integer and the fake-quantized one give the same logits to the bit as
/// before. Errors, each naming file and site or tensor: those of `load_vit` and `load_packed`; E_VERSION for a later
/// format; E_SYNTAX, E_DUPLICATE, E_TYPE, E_RANGE, E_VALUE for a description that cannot be read, E_UNSUPPORTED for
/// rules and transforms that are not known, E_MISMATCH for parts that do not fit together. Class: exact.
[[nodiscard]] inline QuantizedVit load_quantized_vit(const SafetensorsFile& file) {
  const PackedShapes packed(file);
  Vit vit = load_vit(file, {}, packed);
  SiteSpecs specs = load_specs(file, vit.sites);
  return {std::move(vit), std::move(specs)};
}
[[nodiscard]] inline QuantizedVit load_quantized_vit(const std::filesystem::path& path) {
  return load_quantized_vit(SafetensorsFile::open(path));
}

/// The same for a language model.
[[nodiscard]] inline QuantizedLlama load_quantized_llama(const SafetensorsFile& file) {
  const PackedShapes packed(file);
  Llama llama = load_llama(file, {}, packed);
  SiteSpecs specs = load_specs(file, llama.sites);
  return {std::move(llama), std::move(specs)};
}
[[nodiscard]] inline QuantizedLlama load_quantized_llama(const std::filesystem::path& path) {
  return load_quantized_llama(SafetensorsFile::open(path));
}

}  // namespace halfstep::inline HALFSTEP_ABI
