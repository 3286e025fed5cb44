#pragma once

/// \file
/// The engine that shows the operands of every product to an observer.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The operands of one product while a run is at it. Views are valid during the call.
struct ProductRecord {
  const Site& site;
  Index part = 0;               ///< head of an attention product
  MatrixView<const float> lhs;  ///< x, queries, probabilities
  MatrixView<const float> rhs;  ///< weight, keys, transposed values
};

/// Receives records, one at a time, in the order of the run: image by image and head by head within a product.
using ProductVisitor = FunctionRef<void(const ProductRecord& record)>;

/// Runs a model in float on one thread and shows each product to `visit` before it is computed. To use several threads,
/// give each its own engine and images, and merge what the observers have seen. `visit` must outlive the engine.
class RecordingEngine final : public Engine {
 public:
  RecordingEngine(FloatProduct product, ProductVisitor visit) : float_(product), visit_(visit) {}

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    require_float_weight("RecordingEngine", product);
    visit_({product.site, 0, product.x, product.weight});
    float_.multiply(product, workspace);
  }
  void multiply(const AttentionProduct& product, Workspace& workspace) override {
    visit_({product.site, product.part, product.lhs, product.rhs});
    float_.multiply(product, workspace);
  }
  [[nodiscard]] ExecutorRef executor() const override { return {}; }

 private:
  FloatEngine float_;
  ProductVisitor visit_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
