#pragma once

/// \file
/// LayerNorm as a layer: parameters with a name.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/kernels/layer_norm.hpp"

#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Gain, bias and epsilon of a LayerNorm over the channels of `[tokens, channels]`. A value.
struct LayerNorm {
  std::string name;
  std::vector<float> weight;  ///< the gain, one per channel
  std::vector<float> bias;    ///< one per channel
  float epsilon = 1e-6f;

  /// What transforms edit in place; valid as long as this object stays where it is.
  [[nodiscard]] NormView view() { return {NormKind::layer_norm, weight, bias}; }

  /// Normalizes the rows of x into `out`, which may be the same memory. Class: ordered.
  void forward(MatrixView<const float> x, MatrixView<float> out, ExecutorRef executor) const {
    layer_norm(x, weight, bias, epsilon, out, executor);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
