#pragma once

/// \file
/// A linear layer: `y = x * weight^T + bias`.

#include "halfstep/config.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/site.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The float parameters of a linear layer and the site that it multiplies at. A value.
struct Linear {
  Site site;                  ///< its `weight` is the shape `[out_features, in_features]`
  std::vector<float> weight;  ///< row-major
  std::vector<float> bias;    ///< one per output, or empty

  [[nodiscard]] Index out_features() const { return site.weight.rows; }
  [[nodiscard]] Index in_features() const { return site.weight.cols; }
  [[nodiscard]] MatrixView<const float> weight_view() const { return {weight.data(), out_features(), in_features()}; }

  /// What transforms edit in place; valid as long as this object stays where it is.
  [[nodiscard]] LinearView view() { return {{weight.data(), out_features(), in_features()}, bias}; }

  /// `out = epilogue(x * weight^T + bias)`, x `[rows, in_features]`, out `[rows, out_features]`, computed as `engine`
  /// does; `image_rows` rows belong together (see `LinearProduct`).
  void forward(MatrixView<const float> x, Index image_rows, MatrixView<float> out, Engine& engine, Workspace& workspace,
               Epilogue epilogue = {}) const {
    engine.multiply(LinearProduct{site, x, weight_view(), bias, epilogue, out, image_rows}, workspace);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
