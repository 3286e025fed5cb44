#pragma once

/// \file
/// Vision transformers from checkpoints.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/models/parameter_reader.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/models/vit_config.hpp"

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Builds a `Vit` from an open checkpoint.
class VitLoader {
 public:
  /// `options` go before what the metadata says, weights that `find` knows stay empty.
  VitLoader(const SafetensorsFile& file, const VitConfig& options, FindWeight find = {})
      : file_(file), read_(file, find), config_(read_vit_config(file)) {
    const auto prefer = [](auto& value, const auto& option) {
      if (option != std::decay_t<decltype(option)>{}) value = option;
    };
    prefer(config_.image_size, options.image_size);
    prefer(config_.patch_size, options.patch_size);
    prefer(config_.channels, options.channels);
    prefer(config_.dim, options.dim);
    prefer(config_.depth, options.depth);
    prefer(config_.heads, options.heads);
    prefer(config_.hidden, options.hidden);
    prefer(config_.classes, options.classes);
    prefer(config_.epsilon, options.epsilon);
    prefer(config_.mean, options.mean);
    prefer(config_.deviation, options.deviation);
  }

  [[nodiscard]] Vit load() {
    Vit vit;
    load_embedding(vit);
    const Index depth = find_depth();
    const Index heads = find_heads();
    for (Index i = 0; i < depth; ++i) vit.blocks.push_back(block(concat("blocks.", i, "."), heads, vit.sites));
    vit.norm = norm("norm");
    const Index classes = config_.classes.value_or(read_.outputs("head"));
    vit.head = read_.linear("head", classes, *config_.dim, vit.sites, classes_source());
    refuse_other_layers(depth);
    return vit;
  }

 private:
  [[nodiscard]] LayerNorm norm(const std::string& name) const {
    const Index dim = *config_.dim;
    return {name, read_.values(name + ".weight", {dim}, "dim"), read_.values(name + ".bias", {dim}, "dim"),
            config_.epsilon.value_or(1e-6f)};
  }

  [[nodiscard]] TransformerBlock block(const std::string& name, Index heads, SiteList& sites) const {
    const Index dim = *config_.dim;
    const Index hidden = config_.hidden.value_or(read_.outputs(name + "mlp.fc1"));
    TransformerBlock result;
    result.norm1 = norm(name + "norm1");
    result.attn.qkv = read_.linear(name + "attn.qkv", 3 * dim, dim, sites, "3 * dim, dim");
    result.attn.qk = sites.add_attention(name + "attn.qk", heads);
    result.attn.av = sites.add_attention(name + "attn.av", heads);
    result.attn.proj = read_.linear(name + "attn.proj", dim, dim, sites, "dim");
    result.norm2 = norm(name + "norm2");
    const char* source = config_.hidden ? "mlp_ratio and dim" : "dim";
    result.mlp.fc1 = read_.linear(name + "mlp.fc1", hidden, dim, sites, source);
    result.mlp.fc2 = read_.linear(name + "mlp.fc2", dim, hidden, sites, source);
    return result;
  }

  /// Patch embedding, class token and positions; settles `dim` and `channels`.
  void load_embedding(Vit& vit) {
    constexpr const char* proj = "patch_embed.proj";
    const bool is_known = config_.dim && config_.channels && !config_.patch_size.empty();
    if (!is_known || !read_.is_elsewhere(proj)) {
      const std::vector<Index>& shape = read_.sizes(concat(proj, ".weight"), 4);
      if (!config_.dim) config_.dim = shape[0];
      if (!config_.channels) config_.channels = shape[1];
      if (config_.patch_size.empty()) config_.patch_size = {shape[2], shape[3]};
    }
    const Index height = config_.patch_size.front(), width = config_.patch_size.back();
    PatchEmbedding& embedding = vit.patch_embed;
    embedding.patch_height = height;
    embedding.patch_width = width;
    embedding.proj.weight =
        read_.weight(proj, {*config_.dim, *config_.channels, height, width}, "dim, in_chans and patch_size");
    embedding.proj.bias = read_.bias(proj, *config_.dim);
    embedding.proj.site = vit.sites.add_linear(proj, {*config_.dim, *config_.channels * height * width});
    embedding.mean = per_channel(config_.mean, "mean");
    embedding.deviation = per_channel(config_.deviation, "std");
    load_positions(vit);
  }

  void load_positions(Vit& vit) {
    const Index height = vit.patch_embed.patch_height, width = vit.patch_embed.patch_width;
    if (config_.image_size.empty()) {  // a square of patches
      const Index patches = read_.sizes("pos_embed", 3)[1] - 1;
      const auto side = static_cast<Index>(std::llround(std::sqrt(static_cast<double>(patches))));
      if (side * side != patches) {
        raise_io(IoErrorCode::not_found, file_.path(), "no metadata or option gives image_size, and the ", patches,
                 " patches of tensor \"pos_embed\" are no square");
      }
      config_.image_size = {side * height, side * width};
    }
    vit.image_height = config_.image_size.front();
    vit.image_width = config_.image_size.back();
    if (vit.image_height % height != 0 || vit.image_width % width != 0) {
      raise_io(IoErrorCode::mismatch, file_.path(), "images of ", vit.image_height, " x ", vit.image_width,
               " cannot be cut into patches of ", height, " x ", width);
    }
    const Index tokens = vit.image_height / height * (vit.image_width / width) + 1;
    vit.class_token = read_.values("cls_token", {1, 1, *config_.dim}, "dim");
    vit.positions = read_.values("pos_embed", {1, tokens, *config_.dim}, "image_size, patch_size and dim");
  }

  [[nodiscard]] std::vector<float> per_channel(const std::vector<float>& given, std::string_view name) const {
    const auto channels = static_cast<std::size_t>(*config_.channels);
    if (given.size() == 1) return std::vector<float>(channels, given.front());
    if (given.size() == channels) return given;
    if (given.empty()) {
      raise_io(IoErrorCode::not_found, file_.path(), "no metadata or option gives the ", name, " of pixels");
    }
    raise_io(IoErrorCode::mismatch, file_.path(), given.size(), " values of ", name, " for ", channels,
             " channels, expected 1 or ", channels);
  }

  [[nodiscard]] Index find_depth() const {
    if (config_.depth) return *config_.depth;
    Index depth = 0;
    while (file_.contains(concat("blocks.", depth, ".norm1.weight"))) ++depth;
    return depth;
  }

  [[nodiscard]] Index find_heads() const {
    if (!config_.heads) {
      raise_io(IoErrorCode::not_found, file_.path(), "no metadata or option gives the number of heads");
    }
    if (*config_.heads >= 1 && *config_.dim % *config_.heads == 0) return *config_.heads;
    raise_io(IoErrorCode::mismatch, file_.path(), "dim ", *config_.dim, " is no multiple of ", *config_.heads,
             " heads");
  }

  [[nodiscard]] const char* classes_source() const { return config_.classes ? "num_classes and dim" : "dim"; }

  /// A tensor of a block that was not read (layer scale, a norm of q, one block more) would change the results.
  void refuse_other_layers(Index depth) const {
    std::set<std::string, std::less<>> known;
    for (Index i = 0; i < depth; ++i) {
      for (const char* layer : {"norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"}) {
        for (const char* parameter : {"weight", "bias"}) known.insert(concat("blocks.", i, ".", layer, ".", parameter));
      }
    }
    for (const TensorInfo& tensor : file_.tensors()) {
      if (!tensor.name.starts_with("blocks.") || known.contains(tensor.name)) continue;
      raise_io(IoErrorCode::unsupported, file_.path(), "tensor ", in_quotes(tensor.name),
               " belongs to no layer of a vision transformer of depth ", depth);
    }
  }

  const SafetensorsFile& file_;
  ParameterReader read_;
  VitConfig config_;
};

/// Loads a vision transformer with timm's tensor names from an open checkpoint. Sizes come from `options`, then from
/// the metadata, then from the shapes of tensors; F16 and BF16 become float.
///
/// Errors name the file and the tensor: E_NOT_FOUND for a missing tensor or fact (heads, mean, std), E_SHAPE with the
/// shape found, the one expected and what it follows from, E_UNSUPPORTED for layers that this model does not have,
/// E_VALUE for parameters that are not finite, and those of `read_vit_config`.
///
/// Weights that `find` knows stay empty.
[[nodiscard]] inline Vit load_vit(const SafetensorsFile& file, const VitConfig& options = {}, FindWeight find = {}) {
  return VitLoader(file, options, find).load();
}

/// The same from the file at `path`. Errors: also those of `SafetensorsFile::open`.
[[nodiscard]] inline Vit load_vit(const std::filesystem::path& path, const VitConfig& options = {}) {
  return load_vit(SafetensorsFile::open(path), options);
}

}  // namespace halfstep::inline HALFSTEP_ABI
