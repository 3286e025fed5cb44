#pragma once

/// \file
/// RMSNorm as a layer: parameters with a name.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/kernels/rms_norm.hpp"

#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Gain and epsilon of an RMSNorm over the channels of `[tokens, channels]`. It has no bias, and no place for one. A
/// value.
struct RmsNorm {
  std::string name;
  std::vector<float> weight;  ///< the gain, one per channel
  float epsilon = 1e-5f;

  /// What transforms edit in place; valid as long as this object stays where it is.
  [[nodiscard]] NormView view() { return {NormKind::rms_norm, weight, {}}; }

  /// Normalizes the rows of x into `out`, which may be the same memory. Class: ordered.
  void forward(MatrixView<const float> x, MatrixView<float> out, ExecutorRef executor) const {
    rms_norm(x, weight, epsilon, out, executor);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
