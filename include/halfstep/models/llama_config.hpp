#pragma once

/// \file
/// The sizes of a language model of the Llama family: from a checkpoint's metadata, from its tensors, or from the
/// caller.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/models/config_reader.hpp"

#include <optional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What may be known of a language model before its tensors are read; what is empty is found out from them where they
/// tell. Of the metadata (`config`, JSON) these are the keys, those of Hugging Face.
struct LlamaConfig {
  std::optional<Index> dim = {};         ///< `hidden_size`
  std::optional<Index> hidden = {};      ///< `intermediate_size`, of the perceptron
  std::optional<Index> depth = {};       ///< `num_hidden_layers`: blocks
  std::optional<Index> heads = {};       ///< `num_attention_heads`: no tensor tells
  std::optional<Index> kv_heads = {};    ///< `num_key_value_heads`; as many as heads where nobody says
  std::optional<Index> head_size = {};   ///< `head_dim`; dim / heads where nobody says
  std::optional<Index> vocabulary = {};  ///< `vocab_size`
  std::optional<Index> max_tokens = {};  ///< `max_position_embeddings`, 2048 where nobody says
  std::optional<float> epsilon = {};     ///< `rms_norm_eps`: no tensor tells
  std::optional<double> rope_base = {};  ///< `rope_theta`, 10000 where nobody says
  std::optional<bool> tied = {};         ///< `tie_word_embeddings`; where nobody says, whether there is no lm_head
};

/// What the metadata of `file` says; nothing where it has no `config`. Errors: E_UNSUPPORTED for another `model_type`
/// than `llama`, and for what this model does not compute: other rotations, scaled positions, windows, biases, another
/// activation function; E_SYNTAX, E_TYPE, E_RANGE for a `config` that cannot be read.
[[nodiscard]] inline LlamaConfig read_llama_config(const SafetensorsFile& file) {
  const std::optional<ConfigReader> reader = read_config(file, "llama");
  LlamaConfig config;
  if (const auto rope = file.metadata().find("rope"); rope != file.metadata().end() && rope->second != "rotate_half") {
    raise_io(IoErrorCode::unsupported, file.path(), "rotates positions as ", in_quotes(rope->second),
             ", only \"rotate_half\" is known");
  }
  if (!reader) return config;
  config.dim = reader->size("hidden_size");
  config.hidden = reader->size("intermediate_size");
  config.depth = reader->size("num_hidden_layers");
  config.heads = reader->size("num_attention_heads");
  config.kv_heads = reader->size("num_key_value_heads");
  config.head_size = reader->size("head_dim");
  config.vocabulary = reader->size("vocab_size");
  config.max_tokens = reader->size("max_position_embeddings");
  config.epsilon = reader->positive_number("rms_norm_eps");
  if (const auto base = reader->positive_number("rope_theta")) config.rope_base = reader->values("rope_theta").front();
  config.tied = reader->flag("tie_word_embeddings");
  reader->require_only("hidden_act", "silu");
  reader->require_only("attention_bias", false);
  reader->require_only("mlp_bias", false);
  for (const char* key : {"rope_scaling", "rope_parameters", "sliding_window"}) reader->require_only(key, nullptr);
  return config;
}

}  // namespace halfstep::inline HALFSTEP_ABI
