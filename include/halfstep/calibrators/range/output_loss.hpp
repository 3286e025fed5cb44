#pragma once

/// \file
/// What a quantized operand does to the output of a product, as the loss of a search.

#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_errors.hpp"
#include "halfstep/calibrators/range/output_metric.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The loss of quantizers of one operand of some products, while the other operand is given.
///
/// One call multiplies each product once: s * f * k products of floats, s rows of the searched operand, f of the other;
/// for the squared metric s * min(f, k) * k where f >= 2 k. Float products, sums over the output in double. Class:
/// bounded; for one build it depends on nothing but the values and the shapes.
template <ScalarQuantizer Q>
class OutputLoss {
 public:
  /// `other` is what the other operand of each product is multiplied as (`fake_quantize_operand`); empty: floats. The
  /// products are viewed, so what they view must outlive the loss.
  ///
  /// Errors: no products; operands of different k, or with a value that is not finite; heads that are not 0, 1, ...; a
  /// tiling that divides rows; the hessian metric without a gradient for each product; another operand of another
  /// shape.
  explicit OutputLoss(std::span<const ObservedProduct> products, const std::vector<MatrixF>& other = {},
                      const OutputLossOptions& options = {})
      : errors_(products, other, options) {}

  [[nodiscard]] Index granules() const { return errors_.granules().count(); }

  void operator()(std::span<const Q> quantizers, std::span<double> losses) const {
    std::fill(losses.begin(), losses.end(), 0.0);
    for (std::size_t p = 0; p < errors_.products().size(); ++p) {
      auto scratch = errors_.scratch(p);
      const auto values = [&](Index first, Index count, float* out) {
        fake_quantize_rows(errors_.products()[p].searched, first, count, errors_.granules(), p, quantizers, out);
      };
      errors_.add(p, values, scratch, losses);
    }
    for (std::size_t g = 0; g < losses.size(); ++g) losses[g] /= errors_.counts()[g];
  }

 private:
  OutputErrors<MatrixF> errors_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
