#pragma once

/// \file
/// RepQ-ViT's scale reparameterization: one quantizer for a layer that does what one per channel would.
///
///     target    scale~ = mean (or median) of the channels' scales,   zero~ = that of their zero points, rounded
///     transform scale_c / scale~,   shift_c = scale_c (zero~ - zero_c)
///     x'_c / scale~ + zero~ = x_c / scale_c + zero_c
///
/// so that the codes of x' under the one quantizer are those of x under its channels' own, but for ties. Sources: Li et
/// al., "RepQ-ViT: Scale Reparameterization for Post-Training Quantization of Vision Transformers", ICCV 2023,
/// section 3.2; Yang et al., "DopQ-ViT", 2024, for the median, which outlier channels do not move. The published
/// program of RepQ-ViT keeps zero~ fractional: then no integer is the zero point, and no integer product can use it.
/// AdaLog's program rounds, and so does `channel_to_layer`; `channel_to_layer_published` does not.

#include "halfstep/calibrators/range/range_choice.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/shifted_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Which of the channels' parameters the layer gets. Of an even number of channels the median is the lower middle one.
enum class LayerTarget { mean, median };

/// How the one quantizer is chosen.
struct ChannelToLayerOptions {
  LayerTarget target = LayerTarget::mean;
  /// The ranges of the channels, or none. A channel whose range is one value c has no scale of its own (published: 0 /
  /// 0): where ranges are given it keeps out of the target, has the scale of the layer, and c gets a code exactly.
  std::vector<Range> ranges = {};
};

/// One quantizer for all channels, and the transform that makes it theirs.
template <class Q>
struct LayerQuantizer {
  ShiftScale transform;
  Q quantizer;
};

/// The mean of `values`, or their lower median; 0 if there are none.
[[nodiscard]] inline double target_of(std::vector<double> values, LayerTarget target) {
  if (values.empty()) return 0;
  if (target == LayerTarget::median) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Scale and real zero point of the layer.
struct LayerParameters {
  float scale = 1;
  double zero_point = 0;
};

/// Whether the range of channel c is known to be a single value.
[[nodiscard]] inline bool is_constant_channel(const ChannelToLayerOptions& options, std::size_t c) {
  return !options.ranges.empty() && options.ranges[c].min == options.ranges[c].max;
}

/// Targets over the channels that are not constant.
template <int Bits>
[[nodiscard]] LayerParameters layer_parameters(std::string_view where, const std::vector<Uniform<Bits>>& channels,
                                               const ChannelToLayerOptions& options) {
  if (channels.empty()) raise(where, "channels is empty, expected a quantizer for each channel");
  if (!options.ranges.empty() && options.ranges.size() != channels.size()) {
    raise(where, "ranges has ", options.ranges.size(), " entries, expected ", channels.size(), " (channels)");
  }
  std::vector<double> scales, zero_points;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const float scale = channels[c].scale;
    if (!(is_finite_bits(scale) && scale > 0)) {
      raise(where, "scale of channel ", c, " is ", scale, ", expected a positive number");
    }
    if (is_constant_channel(options, c)) continue;
    scales.push_back(static_cast<double>(scale));
    zero_points.push_back(static_cast<double>(channels[c].zero_point));
  }
  if (scales.empty()) return {};
  return {static_cast<float>(target_of(scales, options.target)), target_of(zero_points, options.target)};
}

/// The transform from the channels' quantizers to the layer's.
template <int Bits>
[[nodiscard]] ShiftScale transform_to_layer(const std::vector<Uniform<Bits>>& channels, const LayerParameters& layer,
                                            const ChannelToLayerOptions& options) {
  ShiftScale t;
  const double last_code = Uniform<Bits>::max_code;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    if (is_constant_channel(options, c)) {
      // The constant goes where the code nearest to the zero point decodes to.
      const double steps = std::clamp(layer.zero_point, 0.0, last_code) - layer.zero_point;
      t.shift.push_back(static_cast<float>(static_cast<double>(options.ranges[c].min) - steps * layer.scale));
      t.scale.push_back(1.0f);
    } else {
      const double steps = layer.zero_point - static_cast<double>(channels[c].zero_point);
      t.shift.push_back(static_cast<float>(static_cast<double>(channels[c].scale) * steps));
      t.scale.push_back(channels[c].scale / layer.scale);
    }
  }
  return t;
}

/// The quantizer of a layer whose channels `channels` quantize, with a rounded zero point, and the transform that gives
/// each channel what its own quantizer gave it: equal codes, but where x / scale is within float rounding of a tie.
///
/// Fold the transform into the LayerNorm in front and the consumers; their weights are quantized afterwards. Errors: no
/// channels; a scale that is not positive; another number of ranges. O(channels). Class: ordered.
///
///     const auto choices = percentile_mse<Uniform<4>>(x, {.tiling = per_column()}, repq_fit<4>);
///     const auto layer = channel_to_layer(quantizers_of(choices), {.ranges = ranges_of(choices)});
///     fold(layer.transform, norm, {qkv});                    // and x is encoded by layer.quantizer
template <int Bits>
[[nodiscard]] LayerQuantizer<Uniform<Bits>> channel_to_layer(const std::vector<Uniform<Bits>>& channels,
                                                             const ChannelToLayerOptions& options = {}) {
  LayerParameters layer = layer_parameters("channel_to_layer", channels, options);
  const auto zero_point = simd::round_clamp(static_cast<float>(layer.zero_point), -0x1p23f, 0x1p23f);
  layer.zero_point = static_cast<double>(zero_point);
  return {transform_to_layer(channels, layer, options), {layer.scale, zero_point}};
}

/// The same with the fractional zero point of RepQ-ViT's published program, for comparison with it. The quantizer is
/// that grid with integer codes, `rne(x / scale~ + zero~)`; the published codes `rne(x / scale~) + zero~` are none.
template <int Bits>
[[nodiscard]] LayerQuantizer<ShiftedUniform<Bits>> channel_to_layer_published(
    const std::vector<Uniform<Bits>>& channels, const ChannelToLayerOptions& options = {}) {
  const LayerParameters layer = layer_parameters("channel_to_layer_published", channels, options);
  const auto shift = static_cast<float>(-layer.zero_point * static_cast<double>(layer.scale));
  return {transform_to_layer(channels, layer, options), {layer.scale, shift}};
}

/// The ranges of all choices, in order.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<Range> ranges_of(const std::vector<RangeChoice<Q>>& choices) {
  std::vector<Range> ranges;
  ranges.reserve(choices.size());
  for (const RangeChoice<Q>& choice : choices) ranges.push_back(choice.range);
  return ranges;
}

}  // namespace halfstep::inline HALFSTEP_ABI
