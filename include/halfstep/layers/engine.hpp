#pragma once

/// \file
/// How a run executes products: the interface between layers, which know what is multiplied, and engines, which know
/// how.
///
/// Layers do everything else themselves (normalization, softmax, residuals). Every product goes through an engine, so a
/// model runs in float, records its operands, or multiplies codes, without a word about it in the model.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/layers/site.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// `out = epilogue(x * weight^T + bias)`; x `[rows, in_features]`, out `[rows, out_features]`, rows contiguous in both.
struct LinearProduct {
  const Site& site;
  MatrixView<const float> x;
  MatrixView<const float> weight;  ///< of the float model; engines of codes have their own
  VectorView bias;                 ///< of the model as it runs, or empty
  Epilogue epilogue;
  MatrixView<float> out;
  Index image_rows = 1;  ///< rows of one image or sequence: what it gives must not depend on its neighbours in x
};

/// Refuses a product whose layer has no float weight: that of a quantized model out of a file has codes instead.
inline void require_float_weight(std::string_view where, const LinearProduct& product) {
  if (product.weight.data != nullptr || product.weight.empty()) return;
  raise(where, "site \"", product.site.name, "\" has no float weight, only codes");
}

/// `out = lhs * rhs^T` for one part (head) of one image; lhs `[queries, k]`, rhs `[n, k]`, out `[queries, n]`. Rows of
/// lhs and out are contiguous; rhs may be strided either way (values go in as `transposed(v)`).
struct AttentionProduct {
  const Site& site;
  Index part = 0;
  MatrixView<const float> lhs;
  MatrixView<const float> rhs;
  MatrixView<float> out;
};

/// Executes the products of a run. Called once per product, never per row.
///
/// Attention products may come from several tasks of `executor()` at a time, each with a workspace of its own; linear
/// products come one at a time, and the engine may use the executor for them.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual void multiply(const LinearProduct& product, Workspace& workspace) = 0;
  virtual void multiply(const AttentionProduct& product, Workspace& workspace) = 0;

  /// The threads of the run, for layers and engine alike.
  [[nodiscard]] virtual ExecutorRef executor() const = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
