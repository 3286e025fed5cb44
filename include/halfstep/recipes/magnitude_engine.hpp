#pragma once

/// \file
/// The engine that keeps what the scales of an integer-only model follow from.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/recipes/running_channel_means.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Runs a model in float and keeps the largest magnitude of every operand, and of every output before its activation
/// function.
class MagnitudeEngine final : public Engine {
 public:
  MagnitudeEngine(FloatProduct product, const SiteList& sites)
      : float_(product),
        lhs_(static_cast<std::size_t>(sites.size())),
        rhs_(lhs_),
        out_(lhs_),
        squares_(lhs_),
        counts_(lhs_),
        means_(lhs_.size()) {}

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    LinearProduct plain = product;
    plain.epilogue = {};
    float_.multiply(plain, workspace);
    note(lhs_, product.site, product.x);
    add_power(product.site, product.x);
    note(out_, product.site, product.out);
    means_[static_cast<std::size_t>(product.site.index)].add<float>(product.out);
    apply_bias_and_epilogue(product.out, {}, product.epilogue);
  }
  void multiply(const AttentionProduct& product, Workspace& workspace) override {
    float_.multiply(product, workspace);
    note(lhs_, product.site, product.lhs);
    note(rhs_, product.site, product.rhs);
  }
  [[nodiscard]] ExecutorRef executor() const override { return {}; }

  [[nodiscard]] double lhs(const Site& site) const { return lhs_[static_cast<std::size_t>(site.index)]; }
  [[nodiscard]] double rhs(const Site& site) const { return rhs_[static_cast<std::size_t>(site.index)]; }
  [[nodiscard]] double out(const Site& site) const { return out_[static_cast<std::size_t>(site.index)]; }
  /// The mean square of what a linear site reads.
  [[nodiscard]] double lhs_power(const Site& site) const {
    const auto at = static_cast<std::size_t>(site.index);
    return squares_[at] / counts_[at];
  }
  /// Of what a linear site gives.
  [[nodiscard]] const RunningChannelMeans& means(const Site& site) const {
    return means_[static_cast<std::size_t>(site.index)];
  }

 private:
  static void note(std::vector<double>& largest, const Site& site, MatrixView<const float> x) {
    MinMax seen;
    seen.observe(x);
    double& held = largest[static_cast<std::size_t>(site.index)];
    held = std::max(held, static_cast<double>(absmax(seen.range())));
  }

  void add_power(const Site& site, MatrixView<const float> x) {
    const auto at = static_cast<std::size_t>(site.index);
    for (Index r = 0; r < x.rows; ++r) {
      for (Index c = 0; c < x.cols; ++c) squares_[at] += static_cast<double>(x(r, c)) * static_cast<double>(x(r, c));
    }
    counts_[at] += static_cast<double>(x.size());
  }

  FloatEngine float_;
  std::vector<double> lhs_, rhs_, out_, squares_, counts_;
  std::vector<RunningChannelMeans> means_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
