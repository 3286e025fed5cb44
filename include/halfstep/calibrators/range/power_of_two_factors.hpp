#pragma once

/// \file
/// FQ-ViT's power-of-two factors: one scale for a tensor, and for each channel the shift of it that suits the channel.

#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/power_of_two_factor.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/bits.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `power_of_two_factors`.
struct PowerOfTwoFactorsOptions {
  std::int32_t largest_shift = largest_factor_shift;  ///< 0 to 15; the widest channels have it
  ExecutorRef executor = {};                          ///< results do not depend on it
};

/// What `power_of_two_factors` settles on.
template <int Bits>
struct PowerOfTwoFactorsChoice {
  std::vector<PowerOfTwoFactor<Bits>> quantizers;  ///< of each channel: what `quantize_with` takes, tiling per column
  std::vector<std::vector<double>> mse;            ///< of each channel: mean squared error by shift, from 0 on
};

/// The quantizer of each channel of `x` `[tokens, channels]`, the input of a LayerNorm: scale and zero point are those
/// of the whole tensor by FQ-ViT's unsigned rule (`fq_vit_unsigned_fit`), the scale divided by 2^largest_shift; shift
/// is the one of 0 .. largest_shift with the least mean squared error over the channel, the smallest of equals. A
/// channel that does not fit below the largest shift is clipped: the zero point is not computed anew.
///
/// Errors: no elements; one that is not finite; `largest_shift` out of range. Encodes each channel largest_shift + 1
/// times. Class: ordered, for any executor.
/// Source: Lin et al., "FQ-ViT", IJCAI 2022, section 3.3, and its published program.
template <int Bits, Viewable M>
[[nodiscard]] PowerOfTwoFactorsChoice<Bits> power_of_two_factors(const M& x,
                                                                 const PowerOfTwoFactorsOptions& options = {}) {
  if (options.largest_shift < 0 || options.largest_shift > 15) {
    raise("power_of_two_factors", "largest_shift is ", options.largest_shift, ", expected 0 to 15");
  }
  const auto source = view(x);
  require_readable("power_of_two_factors", "x", source);
  if (source.empty()) raise("power_of_two_factors", "x of shape ", shape_of(source), " has no elements");
  MinMax seen;
  require_finite("power_of_two_factors", "x", source, options.executor);
  seen.observe(source, options.executor);
  const Uniform<Bits> whole = fq_vit_unsigned_fit<Bits>(seen.range());
  const float scale = usable_scale(simd::scale_by_power(whole.scale, -options.largest_shift));
  PowerOfTwoFactorsChoice<Bits> choice;
  choice.quantizers.assign(static_cast<std::size_t>(source.cols), {scale, whole.zero_point, 0});
  choice.mse.resize(choice.quantizers.size());
  for_each_granule("power_of_two_factors", source, per_column(), options.executor,
                   [&](Index channel, std::span<const float> values) {
                     const auto c = static_cast<std::size_t>(channel);
                     for (std::int32_t shift = 0; shift <= options.largest_shift; ++shift) {
                       const PowerOfTwoFactor<Bits> q{scale, whole.zero_point, shift};
                       const double error = squared_error(q, values) / static_cast<double>(values.size());
                       const auto best = static_cast<std::size_t>(choice.quantizers[c].shift);
                       if (shift > 0 && error < choice.mse[c][best]) choice.quantizers[c].shift = shift;
                       choice.mse[c].push_back(error);
                     }
                   });
  return choice;
}

}  // namespace halfstep::inline HALFSTEP_ABI
