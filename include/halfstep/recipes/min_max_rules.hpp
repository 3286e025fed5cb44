#pragma once

/// \file
/// Rules of min-max that recipes for vision transformers share: quantizers that cover all of the data.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_site.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Least and largest value of each channel. Class: exact.
[[nodiscard]] inline std::vector<Range> channel_ranges(const MatrixF& values, ExecutorRef executor = {}) {
  MinMax seen(per_column());
  seen.observe(values, executor);
  return seen.ranges();
}

/// Least and largest of all values. Class: exact.
[[nodiscard]] inline Range range_of(const MatrixF& values, ExecutorRef executor = {}) {
  MinMax seen;
  seen.observe(values, executor);
  return seen.range();
}

/// The symmetric quantizer that covers `range`. Error: bits other than 2 to 8.
[[nodiscard]] inline Activation symmetric_activation(const Range& range, int bits) {
  return with_uniform_bits("symmetric_activation", "bits", bits,
                           [&]<int Bits>() { return Activation(Uniform<Bits>::fit(range, Symmetry::symmetric)); });
}

/// A site by min-max: the weight rounded to nearest per output row, everything else one affine quantizer. Class: exact.
[[nodiscard]] inline SiteSpec min_max_site(const VitSite& at) {
  const Activation lhs = uniform_activation(range_of(at.lhs, at.executor), at.bits.activation);
  if (at.is_attention()) {
    return AttentionSpec{{lhs}, {uniform_activation(range_of(at.rhs, at.executor), at.bits.activation)}};
  }
  return LinearSpec{pack_nearest(at.layer->weight_view(), at.bits.weight, at.executor), at.bits.weight, lhs};
}

}  // namespace halfstep::inline HALFSTEP_ABI
