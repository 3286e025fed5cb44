#pragma once

/// \file
/// Language models of the Llama family: layers wired together, whose products run as an engine says.
///
///     x = embedding[token]
///     x = block(x)                    depth times
///     logits = lm_head(norm(x))
///
/// H. Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023, with the names of Hugging Face
/// checkpoints: a site is named after its weight, `model.layers.3.self_attn.q_proj`, and the products of attention
/// `model.layers.3.self_attn.qk` and `.av`.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/decoder_block.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/key_value_cache.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/rms_norm.hpp"
#include "halfstep/layers/rotary_embedding.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/models/norm_consumers.hpp"
#include "halfstep/models/tokens.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a language model runs over whole sequences.
struct SequenceOptions {
  /// Sequences that go through the layers together: more fill threads and kernels better and take more memory, about
  /// `length * (2 hidden + 8 dim)` floats each. Engines whose results depend on it say so.
  Index sequences_at_a_time = 4;
  /// Sees x `[sequences * length, dim]` of each set of sequences that go together: number 0 is the embedding, number i
  /// what block i - 1 gives.
  FunctionRef<void(Index number, MatrixView<const float> x)> hidden = {};
};

/// The float parameters of a language model. A value: a copy can be transformed and compared with the original.
struct Llama {
  std::vector<float> embedding;  ///< `[vocabulary, dim]`
  std::vector<DecoderBlock> blocks;
  RmsNorm norm;
  Linear lm_head;  ///< `[vocabulary, dim]`; where a checkpoint ties it to the embedding, a copy
  RotaryEmbedding rope;
  SiteList sites;  ///< in the order of a run

  [[nodiscard]] Index dim() const { return lm_head.in_features(); }
  [[nodiscard]] Index vocabulary() const { return lm_head.out_features(); }
  /// Positions that a sequence may have.
  [[nodiscard]] Index max_tokens() const { return rope.positions(); }

  /// Logits `[sequences * length, vocabulary]` as `engine` computes them: row i * length + p predicts token p + 1 of
  /// sequence i. Errors: a token beyond the vocabulary; sequences longer than `max_tokens`; out of another shape.
  /// Allocates nothing once `workspace` is warm, but for what the engine does.
  void forward_into(const TokenView& tokens, Engine& engine, RunWorkspace& workspace, MatrixView<float> out,
                    const SequenceOptions& options = {}) const {
    require_tokens(tokens);
    require_logits(out, tokens.size());
    if (options.sequences_at_a_time < 1) {
      raise("Llama::forward", "sequences_at_a_time is ", options.sequences_at_a_time, ", expected at least 1");
    }
    if (tokens.length == 0) return;
    for (Index first = 0; first < tokens.count; first += options.sequences_at_a_time) {
      const Index count = std::min(options.sequences_at_a_time, tokens.count - first);
      run(tokens.range(first, count), engine, workspace, out.row_range(first * tokens.length, count * tokens.length),
          options);
    }
  }

  /// The same as a new matrix.
  [[nodiscard]] MatrixF forward(const TokenView& tokens, Engine& engine, const SequenceOptions& options = {}) const {
    MatrixF logits(tokens.size(), vocabulary());
    RunWorkspace workspace;
    forward_into(tokens, engine, workspace, mutable_view(logits), options);
    return logits;
  }

  /// A cache for one sequence of up to `capacity` tokens.
  [[nodiscard]] KeyValueCache make_cache(Index capacity) const {
    return {static_cast<Index>(blocks.size()), blocks.front().self_attn.k_proj.out_features(), capacity};
  }

  /// More tokens of the sequence that `cache` holds: logits `[tokens, vocabulary]`, the same as those of a run over the
  /// whole sequence where the engine's products of a row do not depend on the rows beside it (integer products, ordered
  /// float products), up to rounding elsewhere. Errors: those of `forward_into`; a cache without room or of another
  /// model.
  void continue_into(std::span<const std::int32_t> tokens, KeyValueCache& cache, Engine& engine,
                     RunWorkspace& workspace, MatrixView<float> out) const {
    const auto count = static_cast<Index>(tokens.size());
    require_tokens({tokens.data(), 1, count});
    require_logits(out, count);
    require_cache(cache, count);
    if (count == 0) return;
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> x = take_matrix(workspace.main(), count, dim());
    embed_into(tokens, x);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      blocks[b].forward(x, cache.extended(static_cast<Index>(b), count), rope, engine, workspace);
    }
    logits_into(x, count, engine, workspace, out);
    cache.advance(count);
  }

  /// The rows of the embedding, `[tokens, dim]`. Tokens are unchecked.
  void embed_into(std::span<const std::int32_t> tokens, MatrixView<float> x) const {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::copy_n(embedding.data() + tokens[i] * dim(), dim(), x.row(static_cast<Index>(i)));
    }
  }

  /// Final norm and head: x `[sequences * length, dim]`, out `[sequences * length, vocabulary]`.
  void logits_into(MatrixView<const float> x, Index length, Engine& engine, RunWorkspace& workspace,
                   MatrixView<float> out) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> normalized = take_matrix(workspace.main(), x.rows, x.cols);
    norm.forward(x, normalized, engine.executor());
    lm_head.forward(normalized, length, out, engine, workspace.main());
  }

  /// Refuses sequences that the model cannot read.
  void require_tokens(const TokenView& tokens) const {
    if (tokens.count < 0 || tokens.length < 0 || (tokens.ids == nullptr && tokens.size() > 0)) {
      raise("Llama::forward", "tokens are ", tokens.count, " sequences of ", tokens.length, " without data");
    }
    if (tokens.length > max_tokens()) {
      raise("Llama::forward", "sequences have ", tokens.length, " tokens, the model has positions for ", max_tokens());
    }
    for (Index i = 0; i < tokens.size(); ++i) {
      if (tokens.ids[i] >= 0 && tokens.ids[i] < vocabulary()) continue;
      raise("Llama::forward", "token ", i % tokens.length, " of sequence ", i / tokens.length, " is ", tokens.ids[i],
            ", expected 0 to ", vocabulary() - 1);
    }
  }

  /// Calls `visit(linear)` for each linear layer, in the order of a run.
  template <class Visit>
  void for_each_linear(Visit visit) {
    visit_linears(*this, visit);
  }
  template <class Visit>
  void for_each_linear(Visit visit) const {
    visit_linears(*this, visit);
  }

  /// Calls `visit(layers)` with the linear layers of block b that read the same input, a vector of pointers, in the
  /// order of a run: queries, keys and values; the output of attention; gate and up; down. Recipes that look at inputs
  /// look at them once for each such stage.
  template <class Visit>
  void for_each_stage(Index b, Visit visit) const {
    const DecoderBlock& block = blocks[static_cast<std::size_t>(b)];
    const CausalAttention& attention = block.self_attn;
    visit(std::vector<const Linear*>{&attention.q_proj, &attention.k_proj, &attention.v_proj});
    visit(std::vector<const Linear*>{&attention.o_proj});
    visit(std::vector<const Linear*>{&block.mlp.gate_proj, &block.mlp.up_proj});
    visit(std::vector<const Linear*>{&block.mlp.down_proj});
  }

  /// Calls `visit(norm)` with a `NormConsumers` for each norm. Views and pointers are valid as long as the model stays
  /// where it is.
  template <class Visit>
  void for_each_norm(Visit visit) {
    for (DecoderBlock& block : blocks) {
      CausalAttention& attention = block.self_attn;
      visit(NormConsumers{block.input_layernorm.name,
                          block.input_layernorm.view(),
                          {&attention.q_proj, &attention.k_proj, &attention.v_proj}});
      visit(NormConsumers{block.post_attention_layernorm.name,
                          block.post_attention_layernorm.view(),
                          {&block.mlp.gate_proj, &block.mlp.up_proj}});
    }
    visit(NormConsumers{norm.name, norm.view(), {&lm_head}});
  }

 private:
  template <class Self, class Visit>
  static void visit_linears(Self& self, Visit& visit) {
    for (auto& block : self.blocks) {
      visit(block.self_attn.q_proj);
      visit(block.self_attn.k_proj);
      visit(block.self_attn.v_proj);
      visit(block.self_attn.o_proj);
      visit(block.mlp.gate_proj);
      visit(block.mlp.up_proj);
      visit(block.mlp.down_proj);
    }
    visit(self.lm_head);
  }

  void require_logits(const MatrixView<float>& out, Index rows) const {
    const Shape expected{rows, vocabulary()};
    if (shape_of(out) == expected && out.rows_are_contiguous()) return;
    raise("Llama::forward", "out has shape ", shape_of(out), ", expected ", expected, " with contiguous rows");
  }

  void require_cache(const KeyValueCache& cache, Index count) const {
    const Index width = blocks.front().self_attn.k_proj.out_features(), layers = static_cast<Index>(blocks.size());
    if (cache.layers() != layers || cache.width() != width) {
      raise("Llama::continue", "cache is for ", cache.layers(), " layers of ", cache.width(), ", expected ", layers,
            " of ", width);
    }
    const Index room = std::min(cache.capacity(), max_tokens());
    if (cache.length() + count <= room) return;
    raise("Llama::continue", "no room for ", count, " more tokens: ", cache.length(), " of ", room, " are taken (",
          room < max_tokens() ? "capacity of the cache" : "positions of the model", ")");
  }

  void run(const TokenView& tokens, Engine& engine, RunWorkspace& workspace, MatrixView<float> logits,
           const SequenceOptions& options) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> x = take_matrix(workspace.main(), tokens.size(), dim());
    embed_into({tokens.ids, static_cast<std::size_t>(tokens.size())}, x);
    if (options.hidden) options.hidden(0, x);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      blocks[b].forward(x, tokens.length, rope, engine, workspace);
      if (options.hidden) options.hidden(static_cast<Index>(b) + 1, x);
    }
    logits_into(x, tokens.length, engine, workspace, logits);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
