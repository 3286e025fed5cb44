#pragma once

/// \file
/// What a layer's weight meets once its input is quantized: the values of the codes, their second moment, and the mean
/// error that the bias can take back; and GPTQ for it.

#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/recipes/gptq_rounder.hpp"
#include "halfstep/recipes/running_channel_means.hpp"
#include "halfstep/recipes/vit_site.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `decode(encode(x))` under `activation`. Class: exact, for any executor.
[[nodiscard]] inline MatrixF encoded_values(const MatrixF& x, const Activation& activation, ExecutorRef executor = {}) {
  MatrixF values(x.rows(), x.cols());
  parallel_for(executor, x.rows(), 64, [&](Index first, Index last) {
    Workspace workspace;
    fake_quantize_into(view(x).row_range(first, last - first), activation,
                       mutable_view(values).row_range(first, last - first), workspace);
  });
  return values;
}

/// The second moment of x `[images * rows, channels]`, one image after the other. Class: as `HessianAccumulator`.
[[nodiscard]] inline HessianAccumulator image_hessian(const MatrixF& x, Index images, ExecutorRef executor = {}) {
  HessianAccumulator hessian(x.cols());
  hessian.add_sequences(x, images, executor);
  return hessian;
}

/// A linear site whose input is encoded by `input`, as the values `encoded`, and whose weight GPTQ rounds for these.
/// `rounding`'s executor is that of `at`. Errors: options that GPTQ refuses. Class: as GPTQ.
[[nodiscard]] inline LinearSpec gptq_linear(const VitSite& at, const Activation& input, const MatrixF& encoded,
                                            GptqOptions rounding) {
  rounding.executor = at.executor;
  const HessianAccumulator hessian = image_hessian(encoded, at.images, at.executor);
  return {gptq_rounder(at.bits.weight)(at.layer->weight_view(), hessian, rounding), at.bits.weight, input};
}

/// Adds to the bias of a layer what its codes miss on average: `b += mean_t(W x_t - Wq xq_t)`, x what the layer reads
/// and xq its codes' values. Sums are double, in the order of the rows. Class: ordered.
inline void correct_bias(VitSite& at, const PackedMatrix& weight, const MatrixF& encoded) {
  RunningChannelMeans means, encoded_means;
  means.add(view(at.lhs));
  encoded_means.add(view(encoded));
  const MatrixView<const float> w = at.layer->weight_view();
  const MatrixF decoded = decode_packed(weight);
  at.layer->bias.resize(static_cast<std::size_t>(w.rows));
  for (Index o = 0; o < w.rows; ++o) {
    double missed = 0;
    for (Index c = 0; c < w.cols; ++c) {
      missed += simd::pinned(static_cast<double>(w(o, c)) * means.mean(c));
      missed -= simd::pinned(static_cast<double>(decoded(o, c)) * encoded_means.mean(c));
    }
    float& bias = at.layer->bias[static_cast<std::size_t>(o)];
    bias = static_cast<float>(static_cast<double>(bias) + missed);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
