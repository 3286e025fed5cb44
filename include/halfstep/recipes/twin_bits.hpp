#pragma once

/// \file
/// Twin uniform quantizers of a width that is known at run time only: of probabilities, and of what comes after GELU.

#include "halfstep/calibrators/range/region_ratio_search.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/recipes/uniform_bits.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit.operator()<Bits>()` for 3 to 8 bits. Error: any other width, which leaves no magnitude beside the
/// region.
template <class Visit>
auto with_twin_bits(std::string_view where, int bits, Visit visit) {
  if (bits < 3 || bits > 8) raise(where, "bits is ", bits, ", expected 3 to 8 for a quantizer of two regions");
  return with_uniform_bits(where, "bits", bits, [&]<int Bits>() {
    if constexpr (Bits >= 3) {
      return visit.template operator()<Bits>();
    } else {
      return visit.template operator()<3>();  // not reached
    }
  });
}

/// Probabilities in two regions, the split of least squared error among 1, 1/2, .. 2^-11 of 1. Class: ordered.
[[nodiscard]] inline Activation twin_softmax_activation(const MatrixF& probabilities, int bits,
                                                        ExecutorRef executor = {}) {
  return with_twin_bits("twin_softmax_activation", bits, [&]<int Bits>() {
    const std::span<const float> values(probabilities.data(), static_cast<std::size_t>(probabilities.size()));
    std::vector<TwinSoftmax<Bits>> splits;
    for (std::int32_t shift = 0; shift < 12; ++shift) splits.push_back({1.0f, shift});
    return Activation(least_squared_error(splits, values, executor).quantizer);
  });
}

/// Values after GELU by MPTQ-ViT's OPT-m (`region_ratio_search`). Class: ordered.
[[nodiscard]] inline Activation optimized_twin_activation(const MatrixF& values, int bits,
                                                          RegionRatioOptions options = {}) {
  return with_twin_bits("optimized_twin_activation", bits,
                        [&]<int Bits>() { return Activation(region_ratio_search<Bits>(values, options).quantizer); });
}

}  // namespace halfstep::inline HALFSTEP_ABI
