#pragma once

/// \file
/// LRP-QViT's clipped channel-wise quantization: ranges of a LayerNorm's channels that outlier channels do not drag
/// along when all of them become one.
///
/// Source: Ranjan and Savakis, "LRP-QViT", 2024, clipped channel-wise quantization. The paper's exact rule is not
/// known, and no program was published: both rules here are the library's own.

#include "halfstep/calibrators/range/quantile.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the ends of channels are clipped to.
enum class ChannelClip {
  about_center,   ///< no channel is wider than percentile 100 - p of all widths; each keeps its centre
  common_bounds,  ///< no end is outside of percentile p of all minima and percentile 100 - p of all maxima
};

/// Options of `clipped_channel_ranges`.
struct ClippedChannelsOptions {
  double percentile = 1;  ///< p, 0 to 50; 0 clips nothing
  ChannelClip clip = ChannelClip::about_center;
};

/// Percentile p of values, 0 to 100: rank in double, neighbours joined by a line (numpy.percentile). Class: exact.
[[nodiscard]] inline float percentile_of(std::vector<float> values, double p) {
  std::sort(values.begin(), values.end());
  const double last = static_cast<double>(values.size() - 1);
  const double rank = std::fma(p / 100, last, 0.0);
  const double below = std::floor(rank), above = std::min(std::ceil(rank), last);
  return value_at({static_cast<Index>(below), static_cast<Index>(above), rank - below, false},
                  values[static_cast<std::size_t>(below)], values[static_cast<std::size_t>(above)]);
}

/// The ranges of `channels` with their outliers clipped.
///
///     about_center    h_c = min((max_c - min_c) / 2, percentile 100 - p of these),  range = centre_c -+ h_c
///     common_bounds   min_c = max(min_c, percentile p of all min),  max_c = min(max_c, percentile 100 - p of all max)
///
/// Common bounds fail where a channel lies on one side: one that lives from 5 to 6 among others from -1 to 1 gets the
/// range 5 .. 1. They are kept for comparison. Errors: no channels; ends that are not finite or crossed, by channel; a
/// percentile out of range. Class: exact.
[[nodiscard]] inline std::vector<Range> clipped_channel_ranges(std::span<const Range> channels,
                                                               const ClippedChannelsOptions& options = {}) {
  if (channels.empty()) raise("clipped_channel_ranges", "channels is empty, expected a range for each channel");
  if (!(options.percentile >= 0 && options.percentile <= 50)) {
    raise("clipped_channel_ranges", "percentile is ", options.percentile, ", expected 0 to 50");
  }
  std::vector<float> least, largest, halves;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const Range& range = channels[c];
    if (!(is_finite_bits(range.min) && is_finite_bits(range.max) && range.min <= range.max)) {
      raise("clipped_channel_ranges", "channel ", c, " has the range ", range.min, " .. ", range.max,
            ", expected finite ends in order");
    }
    least.push_back(range.min);
    largest.push_back(range.max);
    halves.push_back(range.max * 0.5f - range.min * 0.5f);
  }
  std::vector<Range> clipped(channels.begin(), channels.end());
  if (options.clip == ChannelClip::common_bounds) {
    const float low = percentile_of(least, options.percentile), high = percentile_of(largest, 100 - options.percentile);
    for (Range& range : clipped) range = {std::max(range.min, low), std::min(range.max, high), range.mean_abs};
    return clipped;
  }
  const float widest = percentile_of(halves, 100 - options.percentile);
  for (std::size_t c = 0; c < clipped.size(); ++c) {
    if (halves[c] <= widest) continue;
    const float centre = clipped[c].max * 0.5f + clipped[c].min * 0.5f;
    clipped[c] = {centre - widest, centre + widest, clipped[c].mean_abs};
  }
  return clipped;
}

/// LRP-QViT's affine rule: `scale = max(max - min, 1e-8) / (2^b - 1)`, `zero_point = rne(-min / scale)`, which leaves
/// the codes where the range does not hold 0 (at most 2^23 in size). Class: exact.
template <int Bits>
[[nodiscard]] Uniform<Bits> clipped_channel_fit(const Range& range) {
  const float span = range.max - range.min;
  const float scale = (span > 1e-8f ? span : 1e-8f) / static_cast<float>(Uniform<Bits>::max_code);
  return {scale, simd::round_clamp(-range.min / scale, -0x1p23f, 0x1p23f)};
}

}  // namespace halfstep::inline HALFSTEP_ABI
