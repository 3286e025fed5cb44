#pragma once

/// \file
/// Multi-head self-attention without a mask: `softmax(q k^T / sqrt(head size)) v` per image and head.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site.hpp"

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI {

/// Attention whose queries, keys and values come from one product: the outputs of `qkv` are q, k, v, in this order,
/// each
/// `[heads, head size]`, heads outermost. Softmax is float; the four products are the engine's.
struct Attention {
  Linear qkv;   ///< `[3 dim, dim]`
  Linear proj;  ///< `[dim, dim]`
  Site qk;      ///< queries times keys, one part per head
  Site av;      ///< probabilities times values, likewise

  [[nodiscard]] Index heads() const { return qk.parts; }
  [[nodiscard]] Index dim() const { return proj.in_features(); }

  /// x and out `[images * tokens, dim]`; tokens attend to those of their own image.
  void forward(MatrixView<const float> x, Index tokens, MatrixView<float> out, Engine& engine,
               RunWorkspace& workspace) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> packed = take_matrix(workspace.main(), x.rows, 3 * dim());
    const MatrixView<float> context = take_matrix(workspace.main(), x.rows, dim());
    qkv.forward(x, tokens, packed, engine, workspace.main());
    workspace.for_each_item(engine.executor(), x.rows / tokens * heads(), [&](Index item, Workspace& own) {
      const Index first = item / heads() * tokens;
      attend(packed.row_range(first, tokens), item % heads(), context.row_range(first, tokens), engine, own);
    });
    proj.forward(context, tokens, out, engine, workspace.main());
  }

 private:
  /// One head of one image: `packed` `[tokens, 3 dim]` holds its q, k, v, `context` `[tokens, dim]` takes the result.
  void attend(MatrixView<const float> packed, Index head, MatrixView<float> context, Engine& engine,
              Workspace& workspace) const {
    const Index size = dim() / heads();
    const auto part = [&](Index which) { return packed.col_range(which * dim() + head * size, size); };
    const MatrixView<float> scores = take_matrix(workspace, packed.rows, packed.rows);
    engine.multiply(AttentionProduct{qk, head, part(0), part(1), scores}, workspace);
    softmax(scores, 1.0f / std::sqrt(static_cast<float>(size)));
    engine.multiply(AttentionProduct{av, head, scores, transposed(part(2)), context.col_range(head * size, size)},
                    workspace);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
