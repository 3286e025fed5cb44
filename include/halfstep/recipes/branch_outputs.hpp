#pragma once

/// \file
/// What a branch of a decoder block makes of outputs of its first layers: what methods compare that look at a whole
/// attention or a whole gate instead of linear layers.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/causal_attention.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/gated_mlp.hpp"
#include "halfstep/layers/rotary_embedding.hpp"
#include "halfstep/layers/run_workspace.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Runs a branch in float on products `x w^T` of its first layers that are given, in the order in which they run, and
/// keeps what the layer after them reads.
class GivenOutputs final : public Engine {
 public:
  /// `outputs` must outlive it.
  GivenOutputs(const std::vector<MatrixF>& outputs, FloatProduct product, ExecutorRef executor)
      : outputs_(outputs), product_(product), executor_(executor) {}

  void multiply(const LinearProduct& product, Workspace&) override {
    if (next_ == outputs_.size()) {
      kept_ = as_eigen(product.x);
      return;
    }
    const MatrixF& given = outputs_[next_++];
    for (Index r = 0; r < given.rows(); ++r) {
      std::copy_n(given.data() + r * given.cols(), given.cols(), product.out.row(r));
    }
    apply_bias_and_epilogue(product.out, product.bias, product.epilogue);
  }
  void multiply(const AttentionProduct& product, Workspace&) override {
    product_(product.lhs, product.rhs, product.out);
  }
  [[nodiscard]] ExecutorRef executor() const override { return executor_; }

  /// The input of the layer after them.
  [[nodiscard]] const MatrixF& kept() const { return kept_; }

 private:
  const std::vector<MatrixF>& outputs_;
  FloatProduct product_;
  ExecutorRef executor_;
  std::size_t next_ = 0;
  MatrixF kept_;
};

/// `softmax(q k^T) v` `[sequences * tokens, heads * head_size]` of the products of `q_proj`, `k_proj` and `v_proj`.
/// Class: bounded, as the float product.
[[nodiscard]] inline MatrixF attention_of(const std::vector<MatrixF>& outputs, const CausalAttention& attention,
                                          Index tokens, const RotaryEmbedding& rope, FloatProduct product,
                                          ExecutorRef executor) {
  GivenOutputs engine(outputs, product, executor);
  const MatrixF x = MatrixF::Zero(outputs[0].rows(), attention.q_proj.in_features());
  MatrixF out(x.rows(), attention.o_proj.out_features());
  RunWorkspace workspace;
  attention.forward(view(x), tokens, rope, mutable_view(out), engine, workspace);
  return engine.kept();
}

/// `silu(gate) * up` `[tokens, hidden]` of the products of `gate_proj` and `up_proj`. Class: ordered.
[[nodiscard]] inline MatrixF gate_of(const std::vector<MatrixF>& outputs, const GatedMlp& mlp, ExecutorRef executor) {
  GivenOutputs engine(outputs, {}, executor);
  const MatrixF x = MatrixF::Zero(outputs[0].rows(), mlp.gate_proj.in_features());
  MatrixF out(x.rows(), mlp.down_proj.out_features());
  RunWorkspace workspace;
  mlp.forward(view(x), x.rows(), mutable_view(out), engine, workspace);
  return engine.kept();
}

}  // namespace halfstep::inline HALFSTEP_ABI
