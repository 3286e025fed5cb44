#pragma once

/// \file
/// The bias that takes a shift back where the weight is quantized already.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The bias of a layer whose quantized weight meets transformed activations: `b + Wq shift`, which is `b - Wq N` for
/// noise N. `bias` may be empty: zeros. Class: ordered. Errors: sizes that do not fit; a transform that scales, whose
/// scales must be in the weight before it is quantized.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<float> folded_bias(const ShiftScale& t, const QuantizedMatrix<Q>& weight, VectorView bias) {
  if (!t.scale.empty()) raise("folded_bias", "the transform scales: fold it before the weight is quantized");
  require_transform("folded_bias", t, weight.cols());
  if (!bias.empty() && bias.size != weight.rows()) {
    raise("folded_bias", "bias has ", bias.size, " elements, weight has ", weight.rows(), " rows (its out_features)");
  }
  std::vector<float> folded(static_cast<std::size_t>(weight.rows()));
  for (Index o = 0; o < bias.size; ++o) folded[static_cast<std::size_t>(o)] = bias[o];
  MatrixF decoded = dequantize(weight);
  fold_into_consumer(t, {mutable_view(decoded), folded});
  return folded;
}

}  // namespace halfstep::inline HALFSTEP_ABI
