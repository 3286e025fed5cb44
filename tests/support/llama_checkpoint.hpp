#pragma once

/// \file
/// Checkpoints of small language models with random parameters, to be changed and written; random tokens; and the
/// reference forward pass in double.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "halfstep/core/error.hpp"
#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/llama.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/temporary_directory.hpp"

namespace halfstep_tests {

/// Sizes of a language model. Four heads of queries share two of keys and values.
struct LlamaSizes {
  Index dim = 16, hidden = 20, depth = 2, heads = 4, kv_heads = 2, vocabulary = 23, max_tokens = 32;
  double rope_base = 10000;
  bool tied = false;
};

/// The tensors and metadata of a file, by name.
class LlamaCheckpoint {
 public:
  explicit LlamaCheckpoint(const LlamaSizes& s, std::uint32_t seed = 700) : seed_(seed) {
    const Index keys = s.dim / s.heads * s.kv_heads;
    add("model.embed_tokens.weight", {s.vocabulary, s.dim}, 1.0f);
    for (Index i = 0; i < s.depth; ++i) {
      const std::string block = halfstep::concat("model.layers.", i, ".");
      add(block + "input_layernorm.weight", {s.dim}, 0.3f, 1.0f);
      add_linear(block + "self_attn.q_proj", s.dim, s.dim);
      add_linear(block + "self_attn.k_proj", keys, s.dim);
      add_linear(block + "self_attn.v_proj", keys, s.dim);
      add_linear(block + "self_attn.o_proj", s.dim, s.dim);
      add(block + "post_attention_layernorm.weight", {s.dim}, 0.3f, 1.0f);
      add_linear(block + "mlp.gate_proj", s.hidden, s.dim);
      add_linear(block + "mlp.up_proj", s.hidden, s.dim);
      add_linear(block + "mlp.down_proj", s.dim, s.hidden);
    }
    add("model.norm.weight", {s.dim}, 0.3f, 1.0f);
    if (!s.tied) add_linear("lm_head", s.vocabulary, s.dim);
    metadata["model_type"] = "llama";
    metadata["rope"] = "rotate_half";
    metadata["config"] = halfstep::concat("{\"hidden_size\": ", s.dim, ", \"intermediate_size\": ", s.hidden,
                                          ", \"num_hidden_layers\": ", s.depth, ", \"num_attention_heads\": ", s.heads,
                                          ", \"num_key_value_heads\": ", s.kv_heads, ", \"vocab_size\": ", s.vocabulary,
                                          ", \"max_position_embeddings\": ", s.max_tokens,
                                          ", \"rms_norm_eps\": 1e-05, \"rope_theta\": ", s.rope_base,
                                          ", \"tie_word_embeddings\": ", s.tied ? "true" : "false", "}");
  }

  /// Adds or replaces a tensor of random values around `mean`.
  void add(const std::string& name, std::vector<Index> shape, float deviation, float mean = 0) {
    Index size = 1;
    for (const Index one : shape) size *= one;
    tensors[name] = {std::move(shape), random_matrix(1, size, seed_++, deviation, mean).values};
  }

  /// Replaces a part of the metadata's config.
  void configure(const std::string& from, const std::string& to) {
    std::string& config = metadata["config"];
    config.replace(config.find(from), from.size(), to);
  }

  /// Writes the file, over one that was there.
  void write(const std::string& path) const {
    std::vector<halfstep::NamedTensor> named;
    for (const auto& [name, tensor] : tensors) {
      named.push_back(halfstep::named_tensor(name, std::span<const float>(tensor.values), tensor.shape));
    }
    std::filesystem::remove(path);
    halfstep::write_safetensors(path, named, {.metadata = metadata});
  }

  /// Writes and loads it.
  [[nodiscard]] halfstep::Llama load(const halfstep::LlamaConfig& options = {}) const {
    const TemporaryDirectory directory;
    write(directory.file("llama.safetensors"));
    return halfstep::load_llama(directory.file("llama.safetensors"), options);
  }

  struct Tensor {
    std::vector<Index> shape;
    std::vector<float> values;
  };
  std::map<std::string, Tensor> tensors;
  halfstep::Metadata metadata;

 private:
  void add_linear(const std::string& name, Index out, Index in) {
    add(name + ".weight", {out, in}, 1.5f / std::sqrt(static_cast<float>(in)));
  }

  std::uint32_t seed_;
};

inline halfstep::Tokens random_tokens(Index count, Index length, Index vocabulary, std::uint32_t seed) {
  std::mt19937 generator(seed);
  halfstep::Tokens tokens{{}, count, length};
  for (Index i = 0; i < count * length; ++i) {
    tokens.ids.push_back(static_cast<std::int32_t>(generator() % static_cast<std::uint32_t>(vocabulary)));
  }
  return tokens;
}

inline PlainMatrix plain_rms_norm(const halfstep::RmsNorm& norm, const PlainMatrix& x) {
  PlainMatrix y(x.rows, x.cols);
  for (Index r = 0; r < x.rows; ++r) {
    double mean = 0;
    for (Index c = 0; c < x.cols; ++c) mean += x(r, c) * x(r, c) / static_cast<double>(x.cols);
    const double root = std::sqrt(mean + static_cast<double>(norm.epsilon));
    for (Index c = 0; c < x.cols; ++c) {
      y(r, c) = x(r, c) / root * static_cast<double>(norm.weight[static_cast<std::size_t>(c)]);
    }
  }
  return y;
}

/// Turns the heads of rows at positions `first`, `first + 1`, ... of sequences of `tokens` rows.
inline void plain_rotate(PlainMatrix& x, Index tokens, Index head_size, double base, Index first = 0) {
  const Index half = head_size / 2;
  for (Index r = 0; r < x.rows; ++r) {
    for (Index c = 0; c < x.cols; ++c) {
      const Index j = c % head_size;
      if (j >= half) continue;
      const double exponent = -2.0 * static_cast<double>(j) / static_cast<double>(head_size);
      const double angle = static_cast<double>(first + r % tokens) * std::pow(base, exponent);
      const double low = x(r, c), high = x(r, c + half);
      x(r, c) = low * std::cos(angle) - high * std::sin(angle);
      x(r, c + half) = high * std::cos(angle) + low * std::sin(angle);
    }
  }
}

inline PlainMatrix plain_causal_attention(const halfstep::CausalAttention& attention, double base, const PlainMatrix& x,
                                          Index tokens) {
  PlainMatrix q = plain_linear(attention.q_proj, x), k = plain_linear(attention.k_proj, x);
  const PlainMatrix v = plain_linear(attention.v_proj, x);
  const Index size = attention.head_size(), shared = attention.heads() / attention.kv_heads;
  plain_rotate(q, tokens, size, base);
  plain_rotate(k, tokens, size, base);
  PlainMatrix context(x.rows, q.cols);
  for (Index row = 0; row < x.rows; ++row) {
    const Index first = row / tokens * tokens;
    for (Index head = 0; head < attention.heads(); ++head) {
      const Index from = head * size, key = head / shared * size;
      std::vector<double> p;
      for (Index t = first; t <= row; ++t) {
        double sum = 0;
        for (Index c = 0; c < size; ++c) sum += q(row, from + c) * k(t, key + c);
        p.push_back(sum / std::sqrt(static_cast<double>(size)));
      }
      const double largest = *std::max_element(p.begin(), p.end());
      double sum = 0;
      for (double& value : p) sum += value = std::exp(value - largest);
      for (Index c = 0; c < size; ++c) {
        for (std::size_t t = 0; t < p.size(); ++t) {
          context(row, from + c) += p[t] / sum * v(first + static_cast<Index>(t), key + c);
        }
      }
    }
  }
  return plain_linear(attention.o_proj, context);
}

inline PlainMatrix plain_gated_mlp(const halfstep::GatedMlp& mlp, const PlainMatrix& x) {
  PlainMatrix hidden = plain_linear(mlp.gate_proj, x);
  const PlainMatrix factor = plain_linear(mlp.up_proj, x);
  for (std::size_t i = 0; i < hidden.values.size(); ++i) {
    hidden.values[i] = hidden.values[i] / (1 + std::exp(-hidden.values[i])) * factor.values[i];
  }
  return plain_linear(mlp.down_proj, hidden);
}

inline PlainMatrix plain_decoder_block(const halfstep::DecoderBlock& block, double base, const PlainMatrix& x,
                                       Index tokens) {
  const PlainMatrix y =
      plain_sum(x, plain_causal_attention(block.self_attn, base, plain_rms_norm(block.input_layernorm, x), tokens));
  return plain_sum(y, plain_gated_mlp(block.mlp, plain_rms_norm(block.post_attention_layernorm, y)));
}

/// Logits of all positions in double.
inline PlainMatrix plain_llama(const halfstep::Llama& llama, const halfstep::TokenView& tokens) {
  PlainMatrix x(tokens.size(), llama.dim());
  for (Index r = 0; r < x.rows; ++r) {
    for (Index c = 0; c < x.cols; ++c) {
      x(r, c) = static_cast<double>(llama.embedding[static_cast<std::size_t>(tokens.ids[r] * x.cols + c)]);
    }
  }
  for (const halfstep::DecoderBlock& block : llama.blocks) {
    x = plain_decoder_block(block, llama.rope.base(), x, tokens.length);
  }
  return plain_linear(llama.lm_head, plain_rms_norm(llama.norm, x));
}

}  // namespace halfstep_tests
