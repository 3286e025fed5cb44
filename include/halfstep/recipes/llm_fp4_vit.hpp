#pragma once

/// \file
/// LLM-FP4 on a vision transformer: 4-bit minifloats at every site.
///
///     linear      formats, a bias per row of the weight and one of the input with a shift per channel, by output error
///                 (recipes/llm_fp4.hpp says how the shift is deployed)
///     attention   the format and bias of least squared error for each operand
///
/// Source: Liu et al., "LLM-FP4: 4-Bit Floating-Point Quantized Transformers", EMNLP 2023, which quantizes ViTs too.

#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/recipes/llm_fp4.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/sequential_calibration.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The 4-bit minifloat of least squared error for `values`: E1M2, E2M1 or E3M0, covering 1 to 0.3 of the largest
/// magnitude. Class: ordered.
[[nodiscard]] inline Activation minifloat_mse_activation(const MatrixF& values, ExecutorRef executor = {}) {
  const float largest = absmax(range_of(values, executor));
  const std::span<const float> all(values.data(), static_cast<std::size_t>(values.size()));
  Activation best = Fp4E2M1::fit({-largest, largest, 0});
  double least = -1;
  const auto try_format = [&](auto format) {
    using Q = decltype(format);
    std::vector<Q> scales;
    for (int i = 0; i <= 35; ++i) {
      const float end = largest * (1.0f - 0.02f * static_cast<float>(i));
      scales.push_back(Q::fit({-end, end, 0}));
    }
    const auto found = least_squared_error(scales, all, executor);
    if (least >= 0 && !(found.error < least)) return;
    best = Activation(found.quantizer);
    least = found.error;
  };
  try_format(Fp4E1M2());
  try_format(Fp4E2M1());
  try_format(Fp4E3M0());
  return best;
}

namespace recipes {

/// The search of LLM-FP4 for a layer of a vision transformer: one round, over fewer tokens than a language model wants,
/// as a layer's tokens are more alike.
[[nodiscard]] inline LlmFp4Options llm_fp4_vit_defaults() { return {.search = {.rounds = 1}, .tokens = 195}; }

/// Quantizes `vit` to 4-bit minifloats. Of `options`, widths must be 4; the pixels keep theirs. Errors and class: those
/// of `calibrate_sites`; another width.
[[nodiscard]] inline QuantizedVit llm_fp4(const Vit& vit, const ImageView& calibration,
                                          const VitRecipeOptions& options = {.weight_bits = 4, .activation_bits = 4},
                                          const LlmFp4Options& method = llm_fp4_vit_defaults()) {
  if (options.weight_bits != 4 || options.activation_bits != 4 || !options.site_bits.empty()) {
    raise("llm_fp4", "widths are ", options.weight_bits, " and ", options.activation_bits, ", expected 4 everywhere");
  }
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.is_attention()) {
      return AttentionSpec{{minifloat_mse_activation(at.lhs, at.executor)},
                           {minifloat_mse_activation(at.rhs, at.executor)}};
    }
    if (at.role == SiteRole::pixels) return min_max_site(at);
    const Linear* const layers[] = {at.layer};
    LlmFp4Options own = method;
    own.executor = at.executor;
    return llm_fp4_stage({.layers = layers, .x = view(at.lhs), .sequence_length = at.lhs.rows()}, own).front();
  };
  return calibrate_sites("llm_fp4", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
