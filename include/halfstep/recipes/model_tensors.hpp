#pragma once

/// \file
/// The float parameters of models as tensors and metadata of a file: what `load_vit` and `load_llama` read.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/owned_tensors.hpp"
#include "halfstep/io/safetensors_header.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/vision_transformer.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Adds tensors of floats that stay where they are.
class FloatTensors {
 public:
  explicit FloatTensors(OwnedTensors& tensors) : tensors_(tensors) {}

  void add(std::string name, const std::vector<float>& values, std::vector<Index> shape) {
    tensors_.add(named_tensor(std::move(name), std::span<const float>(values), std::move(shape)));
  }
  /// A vector, where there is one.
  void add_vector(std::string name, const std::vector<float>& values) {
    if (!values.empty()) add(std::move(name), values, {static_cast<Index>(values.size())});
  }
  /// A norm with or without a bias. Error: E_NOT_REPRESENTABLE for an epsilon that is not `epsilon`.
  template <class Norm>
  void add_norm(const Norm& norm, float epsilon) {
    add_vector(norm.name + ".weight", norm.weight);
    if constexpr (requires { norm.bias; }) add_vector(norm.name + ".bias", norm.bias);
    if (norm.epsilon == epsilon) return;
    raise_io(IoErrorCode::not_representable, norm.name, "has epsilon ", norm.epsilon, ", other norms have ", epsilon);
  }

 private:
  OwnedTensors& tensors_;
};

/// Adds what `load_vit` reads, weights of the layers for which `has_weight(layer)` says so. `vit` must outlive
/// `tensors`. Errors: E_NOT_REPRESENTABLE for norms of different epsilons.
template <class HasWeight>
void add_model(OwnedTensors& tensors, Metadata& metadata, const Vit& vit, const HasWeight& has_weight) {
  FloatTensors floats(tensors);
  const Index channels = vit.channels(), dim = vit.dim();
  const PatchEmbedding& patches = vit.patch_embed;
  floats.add("cls_token", vit.class_token, {1, 1, dim});
  floats.add("pos_embed", vit.positions, {1, vit.tokens(), dim});
  vit.for_each_linear([&](const Linear& layer) {
    std::vector<Index> shape{layer.out_features(), layer.in_features()};
    if (layer.site == patches.proj.site) shape = {dim, channels, patches.patch_height, patches.patch_width};
    if (has_weight(layer)) floats.add(layer.site.name + ".weight", layer.weight, std::move(shape));
    floats.add_vector(layer.site.name + ".bias", layer.bias);
  });
  for (const TransformerBlock& block : vit.blocks) {
    floats.add_norm(block.norm1, vit.norm.epsilon);
    floats.add_norm(block.norm2, vit.norm.epsilon);
  }
  floats.add_norm(vit.norm, vit.norm.epsilon);
  nlohmann::json config = {{"image_size", {vit.image_height, vit.image_width}},
                           {"patch_size", {patches.patch_height, patches.patch_width}},
                           {"in_chans", channels},
                           {"dim", dim},
                           {"depth", vit.blocks.size()},
                           {"num_classes", vit.classes()},
                           {"layer_norm_eps", vit.norm.epsilon},
                           {"mean", patches.mean},
                           {"std", patches.deviation},
                           {"gelu", "erf"}};
  // Nobody can tell the heads of a model without blocks, and nothing asks for them.
  config["heads"] = vit.blocks.empty() ? Index{1} : vit.blocks.front().attn.heads();
  metadata["model_type"] = "vit";
  metadata["config"] = config.dump();
}

/// The same for what `load_llama` reads. Errors: E_NOT_REPRESENTABLE for norms of different epsilons, and for biases,
/// which this family does not have.
template <class HasWeight>
void add_model(OwnedTensors& tensors, Metadata& metadata, const Llama& llama, const HasWeight& has_weight) {
  FloatTensors floats(tensors);
  floats.add("model.embed_tokens.weight", llama.embedding, {llama.vocabulary(), llama.dim()});
  const bool is_tied = has_weight(llama.lm_head) && llama.lm_head.weight == llama.embedding;
  llama.for_each_linear([&](const Linear& layer) {
    if (!layer.bias.empty()) raise_io(IoErrorCode::not_representable, layer.site.name, "has a bias");
    if (!has_weight(layer) || (is_tied && layer.site == llama.lm_head.site)) return;
    floats.add(layer.site.name + ".weight", layer.weight, {layer.out_features(), layer.in_features()});
  });
  for (const DecoderBlock& block : llama.blocks) {
    floats.add_norm(block.input_layernorm, llama.norm.epsilon);
    floats.add_norm(block.post_attention_layernorm, llama.norm.epsilon);
  }
  floats.add_norm(llama.norm, llama.norm.epsilon);
  const CausalAttention& attention = llama.blocks.front().self_attn;
  const nlohmann::json config = {{"hidden_size", llama.dim()},
                                 {"num_hidden_layers", llama.blocks.size()},
                                 {"num_attention_heads", attention.heads()},
                                 {"num_key_value_heads", attention.kv_heads},
                                 {"head_dim", attention.head_size()},
                                 {"vocab_size", llama.vocabulary()},
                                 {"max_position_embeddings", llama.max_tokens()},
                                 {"rms_norm_eps", llama.norm.epsilon},
                                 {"rope_theta", llama.rope.base()},
                                 {"tie_word_embeddings", is_tied},
                                 {"hidden_act", "silu"}};
  metadata["model_type"] = "llama";
  metadata["config"] = config.dump();
}

}  // namespace halfstep::inline HALFSTEP_ABI
