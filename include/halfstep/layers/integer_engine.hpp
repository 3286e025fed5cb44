#pragma once

/// \file
/// The engine that multiplies codes.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "halfstep/kernels/split_matrix.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site_spec.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How often a site was multiplied.
struct SiteCount {
  std::string site;
  Index products = 0;
  friend bool operator==(const SiteCount&, const SiteCount&) = default;
};

/// Runs a model on packed weights and encoded activations; queries times keys and probabilities times values are
/// integer products per head. Inputs that are kept in float meet the values of the codes; inputs that are split become
/// an integer product and one of a few columns. What a specification leaves in float altogether is multiplied by
/// `float_product` and counted. Softmax, norms, activation functions and residuals are float. Allocates nothing once it
/// is warm, but for split inputs. Class: ordered where no site or input stays float, for any executor and batch.
class IntegerEngine final : public Engine {
 public:
  /// `specs` must outlive the engine. Errors: a site without a specification; one that stays float where there is no
  /// `float_product`.
  explicit IntegerEngine(const SiteSpecs& specs, ExecutorRef executor = {}, FloatProduct float_product = {})
      : specs_(specs),
        executor_(executor),
        float_(float_product, {.executor = executor}),
        float_products_(static_cast<std::size_t>(specs.sites().size())) {
    for (const Site& site : specs.sites().all()) {
      if (float_product || !std::holds_alternative<FloatSpec>(specs.at(site))) continue;
      raise("IntegerEngine", "site \"", site.name, "\" stays float: a float_product is needed");
    }
  }

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    const auto* spec = std::get_if<LinearSpec>(&specs_.at(product.site));
    if (spec == nullptr) return multiply_float(product, workspace);
    const Workspace::Scope scope(workspace);
    MatrixView<const float> x = product.x;
    if (spec->transform) {
      const MatrixView<float> transformed = take_matrix(workspace, x.rows, x.cols);
      spec->transform.apply(x, transformed, executor_);
      x = transformed;
    }
    if (const auto* split_input = std::get_if<SplitInput>(&spec->input)) {
      return multiply_split(product, spec->weight, *split_input, workspace);
    }
    matmul_into(x, spec->weight, product.out, workspace,
                {.activation = std::get<Activation>(spec->input),
                 .bias = product.bias,
                 .epilogue = product.epilogue,
                 .executor = executor_});
  }

  void multiply(const AttentionProduct& product, Workspace& workspace) override {
    const auto* spec = std::get_if<AttentionSpec>(&specs_.at(product.site));
    if (spec == nullptr) return multiply_float(product, workspace);
    std::unique_ptr<PackedMatrix> rhs = take_spare();
    pack_activation_into(product.rhs, spec->rhs_of(product.part), *rhs);
    matmul_into(product.lhs, *rhs, product.out, workspace, {.activation = spec->lhs_of(product.part)});
    give_back(std::move(rhs));
  }

  [[nodiscard]] ExecutorRef executor() const override { return executor_; }

  /// The sites that were multiplied in float, in the order of a run, and how often.
  [[nodiscard]] std::vector<SiteCount> float_products() const {
    std::vector<SiteCount> counts;
    for (const Site& site : specs_.sites().all()) {
      const Index products = float_products_[static_cast<std::size_t>(site.index)].load();
      if (products > 0) counts.push_back({site.name, products});
    }
    return counts;
  }

 private:
  /// The rows of each image or sequence by themselves, as outliers are theirs.
  void multiply_split(const LinearProduct& product, const PackedMatrix& weight, const SplitInput& input,
                      Workspace& workspace) const {
    const Index group = weight.layout().groups() > 1 ? weight.layout().group : 0;
    const bool has_floats = input.outlier_weights == OutlierWeights::floats;
    for (Index first = 0; first < product.x.rows; first += product.image_rows) {
      const Index count = std::min(product.image_rows, product.x.rows - first);
      const SplitMatrix x = split(
          product.x.row_range(first, count),
          {.threshold = input.threshold, .row_magnitude = input.row_magnitude, .group = group, .executor = executor_});
      const MatrixView<float> out = product.out.row_range(first, count);
      split_matmul_into(x, weight, out, workspace,
                        {.float_weight = has_floats ? product.weight : MatrixView<const float>(),
                         .bias = product.bias,
                         .executor = executor_});
      apply_bias_and_epilogue(out, {}, product.epilogue);
    }
  }

  /// Memory for keys or values of one product, from one that is over where there is one.
  [[nodiscard]] std::unique_ptr<PackedMatrix> take_spare() {
    const std::lock_guard lock(mutex_);
    if (spare_.empty()) return std::make_unique<PackedMatrix>();
    std::unique_ptr<PackedMatrix> matrix = std::move(spare_.back());
    spare_.pop_back();
    return matrix;
  }
  void give_back(std::unique_ptr<PackedMatrix> matrix) {
    const std::lock_guard lock(mutex_);
    spare_.push_back(std::move(matrix));
  }

  template <class Product>
  void multiply_float(const Product& product, Workspace& workspace) {
    float_products_[static_cast<std::size_t>(product.site.index)].fetch_add(1);
    float_.multiply(product, workspace);
  }

  const SiteSpecs& specs_;
  ExecutorRef executor_;
  FloatEngine float_;
  std::vector<std::atomic<Index>> float_products_;  // by site
  std::mutex mutex_;                                // of what follows
  std::vector<std::unique_ptr<PackedMatrix>> spare_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
