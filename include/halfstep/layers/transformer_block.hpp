#pragma once

/// \file
/// A pre-norm transformer block: `x += attention(norm1(x))`, then `x += mlp(norm2(x))`.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/attention.hpp"
#include "halfstep/layers/elementwise.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/layer_norm.hpp"
#include "halfstep/layers/mlp.hpp"
#include "halfstep/layers/run_workspace.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The parameters of one block. A value.
struct TransformerBlock {
  LayerNorm norm1;
  Attention attn;
  LayerNorm norm2;
  Mlp mlp;

  /// Updates x `[images * tokens, dim]` in place.
  void forward(MatrixView<float> x, Index tokens, Engine& engine, RunWorkspace& workspace) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> normalized = take_matrix(workspace.main(), x.rows, x.cols);
    const MatrixView<float> branch = take_matrix(workspace.main(), x.rows, x.cols);
    norm1.forward(x, normalized, engine.executor());
    attn.forward(normalized, tokens, branch, engine, workspace);
    add_into(x, branch, engine.executor());
    norm2.forward(x, normalized, engine.executor());
    mlp.forward(normalized, tokens, branch, engine, workspace);
    add_into(x, branch, engine.executor());
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
