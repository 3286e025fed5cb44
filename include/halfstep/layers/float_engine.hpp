#pragma once

/// \file
/// The engine that multiplies floats.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_product.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// How a `FloatEngine` multiplies.
struct FloatEngineOptions {
  ExecutorRef executor = {};     ///< results do not depend on it
  Index images_per_product = 1;  ///< rows of so many images are one float product
};

/// Runs a model in float, by a product that the program chooses.
///
/// Float libraries order their sums by the shape of the product, so the rows of each image are multiplied by
/// themselves: a batch gives the bytes of its images alone. More `images_per_product` save the library some packing,
/// and give up that equality. Class: bounded, as the float product.
class FloatEngine final : public Engine {
 public:
  explicit FloatEngine(FloatProduct product, const FloatEngineOptions& options = {})
      : product_(product), options_(options) {
    if (options.images_per_product < 1) {
      raise("FloatEngine", "images_per_product is ", options.images_per_product, ", expected at least 1");
    }
  }

  /// Error: a layer without a float weight.
  void multiply(const LinearProduct& product, Workspace&) override {
    require_float_weight("FloatEngine", product);
    multiply_linear(product, product.weight);
  }
  void multiply(const AttentionProduct& product, Workspace&) override {
    product_(product.lhs, product.rhs, product.out);
  }
  [[nodiscard]] ExecutorRef executor() const override { return options_.executor; }

  /// A linear product with another weight than the model's.
  void multiply_linear(const LinearProduct& product, MatrixView<const float> weight) const {
    const Index rows = product.image_rows * options_.images_per_product;
    parallel_chunks(options_.executor, product.x.rows, rows, [&](Index, Index begin, Index end) {
      const MatrixView<float> out = product.out.row_range(begin, end - begin);
      product_(product.x.row_range(begin, end - begin), weight, out);
      apply_bias_and_epilogue(out, product.bias, product.epilogue);
    });
  }

 private:
  FloatProduct product_;
  FloatEngineOptions options_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
