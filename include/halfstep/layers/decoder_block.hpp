#pragma once

/// \file
/// A pre-norm block of a language model: `x += attention(norm1(x))`, then `x += mlp(norm2(x))`.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/layers/causal_attention.hpp"
#include "halfstep/layers/elementwise.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/gated_mlp.hpp"
#include "halfstep/layers/key_value_cache.hpp"
#include "halfstep/layers/rms_norm.hpp"
#include "halfstep/layers/rotary_embedding.hpp"
#include "halfstep/layers/run_workspace.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The parameters of one block. A value.
struct DecoderBlock {
  RmsNorm input_layernorm;
  CausalAttention self_attn;
  RmsNorm post_attention_layernorm;
  GatedMlp mlp;

  /// Updates x `[sequences * tokens, dim]` in place, each sequence from position 0 on.
  void forward(MatrixView<float> x, Index tokens, const RotaryEmbedding& rope, Engine& engine,
               RunWorkspace& workspace) const {
    run(x, tokens, engine, workspace, [&](MatrixView<const float> normalized, MatrixView<float> branch) {
      self_attn.forward(normalized, tokens, rope, branch, engine, workspace);
    });
  }

  /// Updates x `[tokens, dim]` in place, more tokens of the sequence whose keys and values `rows` has.
  void forward(MatrixView<float> x, const KeyValueRows& rows, const RotaryEmbedding& rope, Engine& engine,
               RunWorkspace& workspace) const {
    run(x, x.rows, engine, workspace, [&](MatrixView<const float> normalized, MatrixView<float> branch) {
      self_attn.forward(normalized, rows, rope, branch, engine, workspace);
    });
  }

 private:
  template <class Attend>
  void run(MatrixView<float> x, Index tokens, Engine& engine, RunWorkspace& workspace, const Attend& attend) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> normalized = take_matrix(workspace.main(), x.rows, x.cols);
    const MatrixView<float> branch = take_matrix(workspace.main(), x.rows, x.cols);
    input_layernorm.forward(x, normalized, engine.executor());
    attend(normalized, branch);
    add_into(x, branch, engine.executor());
    post_attention_layernorm.forward(x, normalized, engine.executor());
    mlp.forward(normalized, tokens, branch, engine, workspace);
    add_into(x, branch, engine.executor());
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
