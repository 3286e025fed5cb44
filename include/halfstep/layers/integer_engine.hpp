#pragma once

/// \file
/// The engine that multiplies codes.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/site_spec.hpp"

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
/// integer products per head. What a specification leaves in float is multiplied by `float_product` and counted.
/// Softmax, norms, GELU and residuals are float. Class: ordered where no site stays float, for any executor and batch.
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
    matmul_into(product.x, spec->weight, product.out, workspace,
                {.activation = spec->input, .bias = product.bias, .epilogue = product.epilogue, .executor = executor_});
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
