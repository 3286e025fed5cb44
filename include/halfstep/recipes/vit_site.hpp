#pragma once

/// \file
/// A site of a vision transformer when it is its turn to be calibrated: what it multiplies on the calibration images,
/// and the layers around it.

#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/layer_norm.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/recipes/vit_options.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the left operand of a site is, which decides how it is quantized.
enum class SiteRole {
  pixels,         ///< patch embedding
  after_norm,     ///< qkv, fc1 and the head: what a LayerNorm gives
  queries,        ///< times keys
  probabilities,  ///< times values: what a softmax gives
  context,        ///< the output projection of attention
  after_gelu      ///< fc2
};

/// One site and its operands on the calibration images. A calibrator may edit the layers (folding a transform into
/// them) and must then bring `lhs` to the new variables.
struct VitSite {
  SiteRole role = SiteRole::context;
  Site site;
  SiteBits bits;
  Linear* layer = nullptr;    ///< of a linear site
  LayerNorm* norm = nullptr;  ///< whose output `lhs` is and which nothing else reads, for SiteRole::after_norm
  /// Linear: x of all images `[images * rows, in_features]`. Attention: queries or probabilities of all products, image
  /// by image and head by head, one below the other.
  MatrixF lhs;
  MatrixF rhs;  ///< attention: keys or transposed values, likewise; else empty
  Index images = 0;
  ExecutorRef executor = {};

  [[nodiscard]] bool is_attention() const { return layer == nullptr; }
  /// Rows of one image (linear) or of one product (attention).
  [[nodiscard]] Index rows_each(const MatrixF& operand) const {
    return operand.rows() / (is_attention() ? images * site.parts : images);
  }

  /// The site as products that searches by output error take, of the first `count` images (all, if there are fewer).
  /// Views of `lhs`, `rhs` and the layer's weight.
  [[nodiscard]] std::vector<ObservedProduct> products(Index count) const {
    const Index taken = std::min(count, images);
    if (!is_attention()) {
      return {
          {.lhs = view(lhs).row_range(0, taken * rows_each(lhs)), .rhs = layer->weight_view(), .bias = layer->bias}};
    }
    std::vector<ObservedProduct> products;
    for (Index p = 0; p < taken * site.parts; ++p) {
      products.push_back({.lhs = view(lhs).row_range(p * rows_each(lhs), rows_each(lhs)),
                          .rhs = view(rhs).row_range(p * rows_each(rhs), rows_each(rhs)),
                          .head = p % site.parts});
    }
    return products;
  }

  /// The rows of `operand` (`lhs` or `rhs` of an attention site) that belong to `head`.
  [[nodiscard]] MatrixF of_head(const MatrixF& operand, Index head) const {
    const Index rows = rows_each(operand);
    MatrixF own(images * rows, operand.cols());
    for (Index i = 0; i < images; ++i) {
      own.middleRows(i * rows, rows) = operand.middleRows((i * site.parts + head) * rows, rows);
    }
    return own;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
