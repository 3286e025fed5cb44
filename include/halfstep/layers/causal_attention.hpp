#pragma once

/// \file
/// Attention of a decoder: a token sees itself and what came before it; queries, keys and values have products of their
/// own; several heads of queries may share a head of keys and values (grouped-query attention).
///
///     q = rope(x Wq^T), k = rope(x Wk^T), v = x Wv^T
///     head h:  softmax(q_h k_g^T / sqrt(d) + mask) v_g,  g = h / (heads / kv_heads),  then  y = concat(heads) Wo^T
///
/// J. Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints", 2023.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/key_value_cache.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/rotary_embedding.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// Softmax, rotation and mask are float; the six products are the engine's. A value.
struct CausalAttention {
  Linear q_proj;  ///< `[heads * head_size, dim]`
  Linear k_proj;  ///< `[kv_heads * head_size, dim]`
  Linear v_proj;  ///< `[kv_heads * head_size, dim]`
  Linear o_proj;  ///< `[dim, heads * head_size]`
  Site qk;        ///< queries times keys, one part per head of queries
  Site av;        ///< probabilities times values, likewise
  Index kv_heads = 1;

  [[nodiscard]] Index heads() const { return qk.parts; }
  [[nodiscard]] Index head_size() const { return k_proj.out_features() / kv_heads; }

  /// x and out `[sequences * tokens, dim]`; tokens attend within their own sequence, from position 0 on.
  void forward(MatrixView<const float> x, Index tokens, const RotaryEmbedding& rope, MatrixView<float> out,
               Engine& engine, RunWorkspace& workspace) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> keys = take_matrix(workspace.main(), x.rows, k_proj.out_features());
    const MatrixView<float> values = take_matrix(workspace.main(), x.rows, v_proj.out_features());
    run(x, tokens, rope, keys, values, 0, out, engine, workspace);
  }

  /// The same for more tokens of one sequence, x and out `[tokens, dim]`, of which `rows` holds what came before and
  /// takes what comes.
  void forward(MatrixView<const float> x, const KeyValueRows& rows, const RotaryEmbedding& rope, MatrixView<float> out,
               Engine& engine, RunWorkspace& workspace) const {
    run(x, x.rows, rope, rows.keys, rows.values, rows.past, out, engine, workspace);
  }

 private:
  /// `keys` and `values` hold `past + tokens` rows of each sequence; there is one sequence where `past` is not 0.
  void run(MatrixView<const float> x, Index tokens, const RotaryEmbedding& rope, MatrixView<float> keys,
           MatrixView<float> values, Index past, MatrixView<float> out, Engine& engine, RunWorkspace& workspace) const {
    Workspace& memory = workspace.main();
    const Workspace::Scope scope(memory);
    const MatrixView<float> queries = take_matrix(memory, x.rows, q_proj.out_features());
    const MatrixView<float> context = take_matrix(memory, x.rows, q_proj.out_features());
    const MatrixView<float> new_keys = keys.row_range(past, x.rows);
    q_proj.forward(x, tokens, queries, engine, memory);
    k_proj.forward(x, tokens, new_keys, engine, memory);
    v_proj.forward(x, tokens, values.row_range(past, x.rows), engine, memory);
    rope.rotate(queries, tokens, past, engine.executor());
    rope.rotate(new_keys, tokens, past, engine.executor());
    workspace.for_each_item(engine.executor(), x.rows / tokens * heads(), [&](Index item, Workspace& own) {
      const Index sequence = item / heads(), head = item % heads();
      const Index key_head = head / (heads() / kv_heads) * head_size(), length = past + tokens;
      const auto rows = [&](MatrixView<float> all) {
        return all.block(sequence * length, key_head, length, head_size());
      };
      const auto part = [&](MatrixView<float> all) {
        return all.block(sequence * tokens, head * head_size(), tokens, head_size());
      };
      attend(head, part(queries), rows(keys), rows(values), part(context), engine, own);
    });
    o_proj.forward(context, tokens, out, engine, memory);
  }

  /// One head of one sequence, whose queries are the last of its tokens.
  void attend(Index head, MatrixView<const float> queries, MatrixView<const float> keys, MatrixView<const float> values,
              MatrixView<float> context, Engine& engine, Workspace& workspace) const {
    const MatrixView<float> scores = take_matrix(workspace, queries.rows, keys.rows);
    engine.multiply(AttentionProduct{qk, head, queries, keys, scores}, workspace);
    const Index past = keys.rows - queries.rows;
    for (Index r = 0; r < scores.rows; ++r) {
      const Index seen = past + r + 1;
      std::fill_n(scores.row(r) + seen, keys.rows - seen, -std::numeric_limits<float>::infinity());
    }
    softmax(scores, 1.0f / std::sqrt(static_cast<float>(head_size())));
    engine.multiply(AttentionProduct{av, head, scores, transposed(values), context}, workspace);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
