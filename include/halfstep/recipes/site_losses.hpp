#pragma once

/// \file
/// What each site of a vision transformer loses at each width by the error of its own output: cheaper than the
/// divergence of the logits, one run for each width.

#include "halfstep/calibrators/precision/allocation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/mixed_precision.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Runs a model in float and multiplies the operands of each product as codes, too; sums the squared differences,
/// before activation functions. On one thread.
class SiteErrorEngine final : public Engine {
 public:
  SiteErrorEngine(const SiteSpecs& specs, FloatProduct product)
      : float_(product),
        integer_(specs, {}, product),
        squares_(static_cast<std::size_t>(specs.sites().size())),
        counts_(squares_) {}

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    const Workspace::Scope scope(workspace);
    LinearProduct plain = product;
    plain.epilogue = {};
    float_.multiply(plain, workspace);
    plain.out = take_matrix(workspace, product.out.rows, product.out.cols);
    integer_.multiply(plain, workspace);
    note(product.site, product.out, plain.out);
    apply_bias_and_epilogue(product.out, {}, product.epilogue);
  }
  void multiply(const AttentionProduct& product, Workspace& workspace) override {
    const Workspace::Scope scope(workspace);
    float_.multiply(product, workspace);
    AttentionProduct codes = product;
    codes.out = take_matrix(workspace, product.out.rows, product.out.cols);
    integer_.multiply(codes, workspace);
    note(product.site, product.out, codes.out);
  }
  [[nodiscard]] ExecutorRef executor() const override { return {}; }

  /// The mean squared error of a site's output.
  [[nodiscard]] double error(const Site& site) const {
    const auto at = static_cast<std::size_t>(site.index);
    return counts_[at] > 0 ? squares_[at] / counts_[at] : 0;
  }

 private:
  void note(const Site& site, MatrixView<const float> exact, MatrixView<const float> seen) {
    const auto at = static_cast<std::size_t>(site.index);
    for (Index r = 0; r < exact.rows; ++r) {
      for (Index c = 0; c < exact.cols; ++c) {
        const double difference = static_cast<double>(seen(r, c)) - static_cast<double>(exact(r, c));
        squares_[at] += difference * difference;
      }
    }
    counts_[at] += static_cast<double>(exact.rows * exact.cols);
  }

  FloatEngine float_;
  IntegerEngine integer_;
  std::vector<double> squares_, counts_;  // by site
};

/// What each site loses at each width, by the mean squared error of its output on float inputs: the layers of an
/// allocation, in the order of `precision_sites`. Runs the recipe and the model once for each width. Class: bounded.
[[nodiscard]] inline std::vector<LayerOptions> output_error_losses(const Vit& vit, const ImageView& calibration,
                                                                   const VitRecipeOptions& options,
                                                                   const std::vector<int>& widths, VitRecipe recipe) {
  const Images drawn = draw_images(calibration, options.images, options.seed);
  return losses_by_width(vit, options, widths, recipe, [&](const QuantizedVit& quantized) {
    SiteErrorEngine engine(quantized.specs(), options.float_product);
    static_cast<void>(quantized.model().forward(drawn.view(), engine));
    std::vector<double> errors;
    for (const Site& site : precision_sites(vit)) errors.push_back(engine.error(site));
    return errors;
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
