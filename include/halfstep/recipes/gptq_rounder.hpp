#pragma once

/// \file
/// GPTQ with the width of its codes known at run time.

#include "halfstep/calibrators/rounding/gptq.hpp"
#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <functional>

namespace halfstep::inline HALFSTEP_ABI {

/// How a weight becomes packed codes, given the second moment of its inputs.
using WeightRounder =
    std::function<PackedMatrix(MatrixView<const float> weight, const HessianAccumulator&, const GptqOptions& options)>;

/// Rounds by GPTQ to the codes of quantizer Q.
template <ScalarQuantizer Q>
[[nodiscard]] PackedMatrix pack_gptq(MatrixView<const float> weight, const HessianAccumulator& hessian,
                                     const GptqOptions& options) {
  return pack(gptq<Q>(weight, hessian, options).matrix, options.executor);
}

/// The same for a uniform quantizer of a width that is known at run time. Error: bits other than 2 to 8.
[[nodiscard]] inline WeightRounder gptq_rounder(int bits) {
  return with_uniform_bits("gptq_rounder", "bits", bits,
                           []<int Bits>() { return WeightRounder(&pack_gptq<Uniform<Bits>>); });
}

}  // namespace halfstep::inline HALFSTEP_ABI
