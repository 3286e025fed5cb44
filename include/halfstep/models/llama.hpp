#pragma once

/// \file
/// Language models of the Llama family from checkpoints.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/packed_layout.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/llama_config.hpp"
#include "halfstep/models/parameter_reader.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Builds a `Llama` from an open checkpoint.
class LlamaLoader {
 public:
  /// `options` go before what the metadata says, weights that `find` knows stay empty.
  LlamaLoader(const SafetensorsFile& file, const LlamaConfig& options, FindWeight find = {})
      : file_(file), read_(file, find), config_(read_llama_config(file)) {
    const auto prefer = [](auto& value, const auto& option) {
      if (option) value = option;
    };
    prefer(config_.dim, options.dim);
    prefer(config_.hidden, options.hidden);
    prefer(config_.depth, options.depth);
    prefer(config_.heads, options.heads);
    prefer(config_.kv_heads, options.kv_heads);
    prefer(config_.head_size, options.head_size);
    prefer(config_.vocabulary, options.vocabulary);
    prefer(config_.max_tokens, options.max_tokens);
    prefer(config_.epsilon, options.epsilon);
    prefer(config_.rope_base, options.rope_base);
    prefer(config_.tied, options.tied);
  }

  [[nodiscard]] Llama load() {
    settle_sizes();
    Llama llama;
    llama.embedding = read_.values(embedding_name, {vocabulary_, dim_}, "vocab_size and hidden_size");
    llama.rope = RotaryEmbedding(head_size_, config_.max_tokens.value_or(2048), config_.rope_base.value_or(10000.0));
    for (Index i = 0; i < depth_; ++i) llama.blocks.push_back(block(concat("model.layers.", i, "."), llama.sites));
    llama.norm = norm("model.norm");
    llama.lm_head = head(llama);
    refuse_other_tensors();
    return llama;
  }

 private:
  static constexpr const char* embedding_name = "model.embed_tokens.weight";

  void settle_sizes() {
    const std::vector<Index>& embedding = read_.sizes(embedding_name, 2);
    vocabulary_ = config_.vocabulary.value_or(embedding[0]);
    dim_ = config_.dim.value_or(embedding[1]);
    depth_ = config_.depth.value_or(0);
    while (!config_.depth && file_.contains(concat("model.layers.", depth_, ".input_layernorm.weight"))) ++depth_;
    if (depth_ < 1) raise_io(IoErrorCode::not_found, file_.path(), "has no layer of a language model");
    if (!config_.epsilon) {
      raise_io(IoErrorCode::not_found, file_.path(), "no metadata or option gives the epsilon of the norms");
    }
    settle_heads();
  }

  void settle_heads() {
    if (!config_.heads) {
      raise_io(IoErrorCode::not_found, file_.path(), "no metadata or option gives the number of heads");
    }
    heads_ = *config_.heads;
    kv_heads_ = config_.kv_heads.value_or(heads_);
    if (heads_ < 1 || kv_heads_ < 1 || heads_ % kv_heads_ != 0) {
      raise_io(IoErrorCode::mismatch, file_.path(), heads_, " heads cannot share ", kv_heads_,
               " heads of keys and values");
    }
    if (!config_.head_size && dim_ % heads_ != 0) {
      raise_io(IoErrorCode::mismatch, file_.path(), "hidden_size ", dim_, " is no multiple of ", heads_, " heads");
    }
    head_size_ = config_.head_size.value_or(dim_ / heads_);
    if (head_size_ >= 2 && head_size_ % 2 == 0) return;
    raise_io(IoErrorCode::mismatch, file_.path(), "heads have ", head_size_,
             " channels, expected an even number: positions turn pairs of them");
  }

  [[nodiscard]] RmsNorm norm(const std::string& name) const {
    return {name, read_.values(name + ".weight", {dim_}, "hidden_size"), *config_.epsilon};
  }

  [[nodiscard]] DecoderBlock block(const std::string& name, SiteList& sites) const {
    const Index queries = heads_ * head_size_, keys = kv_heads_ * head_size_;
    const Index hidden = config_.hidden.value_or(read_.outputs(name + "mlp.gate_proj"));
    const char* const heads_source = "num_attention_heads, the size of a head and hidden_size";
    const char* const keys_source = "num_key_value_heads, the size of a head and hidden_size";
    const char* const hidden_source = config_.hidden ? "intermediate_size and hidden_size" : "hidden_size";
    DecoderBlock result;
    result.input_layernorm = norm(name + "input_layernorm");
    CausalAttention& attention = result.self_attn;
    attention.kv_heads = kv_heads_;
    attention.q_proj = linear(name + "self_attn.q_proj", queries, dim_, sites, heads_source);
    attention.k_proj = linear(name + "self_attn.k_proj", keys, dim_, sites, keys_source);
    attention.v_proj = linear(name + "self_attn.v_proj", keys, dim_, sites, keys_source);
    attention.qk = sites.add_attention(name + "self_attn.qk", heads_);
    attention.av = sites.add_attention(name + "self_attn.av", heads_);
    attention.o_proj = linear(name + "self_attn.o_proj", dim_, queries, sites, heads_source);
    result.post_attention_layernorm = norm(name + "post_attention_layernorm");
    result.mlp.gate_proj = linear(name + "mlp.gate_proj", hidden, dim_, sites, hidden_source);
    result.mlp.up_proj = linear(name + "mlp.up_proj", hidden, dim_, sites, hidden_source);
    result.mlp.down_proj = linear(name + "mlp.down_proj", dim_, hidden, sites, hidden_source);
    return result;
  }

  [[nodiscard]] Linear linear(const std::string& name, Index out, Index in, SiteList& sites,
                              std::string_view source) const {
    return read_.linear(name, out, in, sites, source);
  }

  /// The head, or the embedding once more. Some checkpoints that tie the two hold both: they must agree.
  [[nodiscard]] Linear head(Llama& llama) const {
    const std::string name = "lm_head";
    const bool is_there = file_.contains(name + ".weight") || read_.is_elsewhere(name);
    if (!config_.tied.value_or(!is_there)) {
      return linear(name, vocabulary_, dim_, llama.sites, "vocab_size and hidden_size");
    }
    if (is_there && read_.weight(name, {vocabulary_, dim_}, "vocab_size and hidden_size") != llama.embedding) {
      raise_io(IoErrorCode::mismatch, file_.path(), "tensor \"lm_head.weight\" differs from ",
               in_quotes(embedding_name), ", and tie_word_embeddings says that they are one");
    }
    return {llama.sites.add_linear(name, {vocabulary_, dim_}), llama.embedding, {}};
  }

  /// A tensor that was not read (a bias, a norm of queries, one layer more) would change the results.
  void refuse_other_tensors() const {
    std::set<std::string, std::less<>> known{embedding_name, "model.norm.weight", "lm_head.weight"};
    for (Index i = 0; i < depth_; ++i) {
      for (const char* layer :
           {"input_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
            "self_attn.o_proj.weight", "post_attention_layernorm.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight",
            "mlp.down_proj.weight", "self_attn.rotary_emb.inv_freq"}) {  // the last follows from rope_theta
        known.insert(concat("model.layers.", i, ".", layer));
      }
    }
    for (const TensorInfo& tensor : file_.tensors()) {
      if (known.contains(tensor.name) || is_packed_part(tensor.name)) continue;
      raise_io(IoErrorCode::unsupported, file_.path(), "tensor ", in_quotes(tensor.name),
               " belongs to no layer of a Llama of depth ", depth_);
    }
  }

  const SafetensorsFile& file_;
  ParameterReader read_;
  LlamaConfig config_;
  Index vocabulary_ = 0;
  Index dim_ = 0;
  Index depth_ = 0;
  Index heads_ = 0;
  Index kv_heads_ = 0;
  Index head_size_ = 0;
};

/// Loads a language model with Hugging Face's tensor names from an open checkpoint. Sizes come from `options`, then
/// from the metadata, then from the shapes of tensors; F16 and BF16 become float.
///
/// Errors name the file and the tensor: E_NOT_FOUND for a missing tensor or fact (heads, epsilon), E_SHAPE with the
/// shape found, the one expected and what it follows from, E_MISMATCH for sizes that contradict each other,
/// E_UNSUPPORTED for tensors that this model does not have (biases, other norms), E_VALUE for parameters that are not
/// finite, and those of `read_llama_config`.
///
/// Weights that `find` knows stay empty.
[[nodiscard]] inline Llama load_llama(const SafetensorsFile& file, const LlamaConfig& options = {},
                                      FindWeight find = {}) {
  return LlamaLoader(file, options, find).load();
}

/// The same from the file at `path`. Errors: also those of `SafetensorsFile::open`.
[[nodiscard]] inline Llama load_llama(const std::filesystem::path& path, const LlamaConfig& options = {}) {
  return load_llama(SafetensorsFile::open(path), options);
}

}  // namespace halfstep::inline HALFSTEP_ABI
