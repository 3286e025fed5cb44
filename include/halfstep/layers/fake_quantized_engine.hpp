#pragma once

/// \file
/// The engine that multiplies decoded codes in float: the same codes as the integer engine's, and another product.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/kernels/split_matrix.hpp"
#include "halfstep/layers/elementwise.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site_spec.hpp"

#include <algorithm>
#include <cstddef>
#include <variant>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Runs a model on `decode(encode(x))` of every quantized operand. For one product it differs from `IntegerEngine` by
/// rounding alone: with exact values x_k, w_k of the codes and a float product that rounds each of K sums,
///
///     |fake - integer| <= (K + 8) * 2^-24 * (sum_k |x_k w_k| + |bias|)
///
/// (K - 1 additions and K products against three roundings of the integer product, one for each decoded operand, one
/// for the bias on either side). Over a whole run a value near the edge of two codes may fall to either side, after
/// which the runs differ by a step there. Decoded weights are kept, four bytes each. Class: bounded, as the float
/// product.
class FakeQuantizedEngine final : public Engine {
 public:
  /// `specs` must outlive the engine. Error: a site without a specification.
  FakeQuantizedEngine(const SiteSpecs& specs, FloatProduct product, const FloatEngineOptions& options = {})
      : specs_(specs), float_(product, options), product_(product) {
    specs.require_complete();
    for (const Site& site : specs.sites().all()) {
      const auto* linear = std::get_if<LinearSpec>(&specs.at(site));
      weights_.push_back(linear == nullptr ? MatrixF() : decode_packed(linear->weight));
    }
  }

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    const auto* spec = std::get_if<LinearSpec>(&specs_.at(product.site));
    if (spec == nullptr) return float_.multiply(product, workspace);
    const MatrixView<const float> weight = view(weights_[static_cast<std::size_t>(product.site.index)]);
    if (const auto* split_input = std::get_if<SplitInput>(&spec->input)) {
      return multiply_split(product, weight, *split_input);
    }
    const Workspace::Scope scope(workspace);
    LinearProduct decoded = product;
    if (spec->transform) {
      const MatrixView<float> transformed = take_matrix(workspace, product.x.rows, product.x.cols);
      spec->transform.apply(product.x, transformed, executor());
      decoded.x = transformed;
    }
    const auto& activation = std::get<Activation>(spec->input);
    if (!activation.keeps_floats() && !spec->weight.needs_floats()) {
      const MatrixView<float> x = take_matrix(workspace, product.x.rows, product.x.cols);
      fake_quantize_into(decoded.x, activation, x, workspace);
      decoded.x = x;
    }
    float_.multiply_linear(decoded, weight);
  }

  void multiply(const AttentionProduct& product, Workspace& workspace) override {
    const auto* spec = std::get_if<AttentionSpec>(&specs_.at(product.site));
    if (spec == nullptr) return float_.multiply(product, workspace);
    const Workspace::Scope scope(workspace);
    const MatrixView<float> lhs = take_matrix(workspace, product.lhs.rows, product.lhs.cols);
    const MatrixView<float> rhs = take_matrix(workspace, product.rhs.rows, product.rhs.cols);
    fake_quantize_into(product.lhs, spec->lhs_of(product.part), lhs, workspace);
    fake_quantize_into(product.rhs, spec->rhs_of(product.part), rhs, workspace);
    product_(lhs, rhs, product.out);
  }

  [[nodiscard]] ExecutorRef executor() const override { return float_.executor(); }

 private:
  /// The rows of each image or sequence by themselves: what became codes times the decoded weight, plus the outlier
  /// columns times theirs.
  void multiply_split(const LinearProduct& product, MatrixView<const float> weight, const SplitInput& input) const {
    for (Index first = 0; first < product.x.rows; first += product.image_rows) {
      const Index count = std::min(product.image_rows, product.x.rows - first);
      const SplitMatrix x = split(product.x.row_range(first, count),
                                  {.threshold = input.threshold, .row_magnitude = input.row_magnitude});
      const auto outliers = static_cast<Index>(x.columns().size());
      const bool has_floats = input.outlier_weights == OutlierWeights::floats;
      MatrixF values(count, x.cols()), columns(weight.rows, outliers), sum(count, weight.rows);
      for (Index r = 0; r < count; ++r) {
        for (Index c = 0; c < x.cols(); ++c) values(r, c) = static_cast<float>(x.integers().value(r, c));
      }
      for (Index o = 0; o < outliers; ++o) {
        const Index column = x.columns()[static_cast<std::size_t>(o)];
        for (Index n = 0; n < weight.rows; ++n) columns(n, o) = (has_floats ? product.weight : weight)(n, column);
      }
      const MatrixView<float> out = product.out.row_range(first, count);
      product_(view(values), weight, out);
      product_(view(x.floats()), view(columns), mutable_view(sum));
      add_into(out, view(sum), executor());
      apply_bias_and_epilogue(out, product.bias, product.epilogue);
    }
  }

  const SiteSpecs& specs_;
  FloatEngine float_;
  FloatProduct product_;
  std::vector<MatrixF> weights_;  // by site; empty where the site has none
};

}  // namespace halfstep::inline HALFSTEP_ABI
