#pragma once

/// \file
/// I-ViT's inference after training: a vision transformer on integers from the patches to the logits, its scales from
/// calibration images (`integer`).
///
///     weights      symmetric, a step for each output row, rounded to nearest
///     activations  symmetric, a step for each tensor: the largest magnitude in a float run over 2^(b-1) - 1
///     residuals    a step of 2^-15 of the largest magnitude that the stream reaches, for the whole model
///     pixels       as they are, less 128; their normalization is in the weight and bias of the embedding
///
/// Source: Li and Gu, "I-ViT: Integer-only Quantization for Efficient Vision Transformer Inference", ICCV 2023. Its
/// operators without its training: what they cost is theirs alone.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/kernels/integer_layer_norm.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/integer_linear.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/integer_vit.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/magnitude_engine.hpp"
#include "halfstep/recipes/running_channel_means.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

namespace recipes {

/// Whether scales and biases make up for what the integer operators cut off on average, or stay as they are.
enum class IntegerCorrection { means_and_powers, none };

/// Widths, and the images that calibrate.
struct IntegerVitOptions {
  int weight_bits = 8;      ///< 2 to 8, per output row
  int activation_bits = 8;  ///< 2 to 8, per tensor, static
  IntegerCorrection correction = IntegerCorrection::means_and_powers;
  Index images = 32;                           ///< drawn without replacement
  std::uint64_t seed = 0;                      ///< of the draw
  FloatProduct float_product = eigen_product;  ///< of the calibration run
};

/// Builds an `IntegerVit` from a float model and the magnitudes of a run.
class IntegerVitBuilder {
 public:
  IntegerVitBuilder(const Vit& vit, const MagnitudeEngine& seen, double largest_residual,
                    const IntegerVitOptions& options)
      : vit_(vit), seen_(seen), options_(options) {
    result_.largest_code = (1 << (options.activation_bits - 1)) - 1;
    result_.residual_scale = step(largest_residual, 0x1p15);
  }

  [[nodiscard]] IntegerVit build() {
    embed();
    for (const TransformerBlock& block : vit_.blocks) result_.blocks.push_back(integer_block(block));
    result_.norm = norm(vit_.norm, code_step(seen_.lhs(vit_.head.site)));
    result_.head = linear(vit_.head, code_step(seen_.lhs(vit_.head.site)));
    result_.logit_scale = result_.head.sum_scales();
    for (std::size_t c = 0; c < result_.logit_scale.size(); ++c) {
      const double bias = vit_.head.bias.empty() ? 0 : static_cast<double>(vit_.head.bias[c]);
      result_.logit_bias.push_back(static_cast<std::int64_t>(std::nearbyint(bias / result_.logit_scale[c])));
    }
    return std::move(result_);
  }

 private:
  /// A step of which `largest` is `count`; any for values that are all 0.
  [[nodiscard]] static double step(double largest, double count) { return largest > 0 ? largest / count : 1 / count; }
  [[nodiscard]] double code_step(double largest) const { return step(largest, result_.largest_code); }

  [[nodiscard]] IntegerLinear linear(const Linear& layer, double in_scale) const {
    IntegerLinear result{IntegerWeight::of(layer.weight_view(), options_.weight_bits), layer.bias, in_scale, {}};
    return result;
  }
  /// A layer whose outputs join the residual stream.
  [[nodiscard]] IntegerLinear branch(const Linear& layer, double in_scale) const {
    IntegerLinear result = linear(layer, in_scale);
    result.set_output({result_.residual_scale});
    return result;
  }

  [[nodiscard]] static IntegerNormLayer norm(const LayerNorm& layer, double out_scale) {
    IntegerNormLayer result{IntegerNorm::of(layer.weight, layer.bias), {}};
    result.to = ChannelRequantizer(result.norm.scale, {}, {out_scale});
    return result;
  }

  void embed() {
    const PatchEmbedding& from = vit_.patch_embed;
    result_.channels = vit_.channels();
    result_.image_height = vit_.image_height;
    result_.image_width = vit_.image_width;
    result_.patch_height = from.patch_height;
    result_.patch_width = from.patch_width;
    result_.heads = vit_.blocks.empty() ? 1 : vit_.blocks.front().attn.heads();
    // (pixel / 255 - mean) / deviation = (pixel - 128) / (255 deviation) + (128 / 255 - mean) / deviation
    Linear proj = from.proj;
    if (proj.bias.empty()) proj.bias.resize(static_cast<std::size_t>(proj.out_features()));
    const Index area = from.patch_height * from.patch_width;
    for (Index n = 0; n < proj.out_features(); ++n) {
      double bias = static_cast<double>(proj.bias[static_cast<std::size_t>(n)]);
      for (Index k = 0; k < proj.in_features(); ++k) {
        const auto channel = static_cast<std::size_t>(k / area);
        const auto deviation = static_cast<double>(from.deviation[channel]);
        float& weight = proj.weight[static_cast<std::size_t>(n * proj.in_features() + k)];
        bias += static_cast<double>(weight) * (128.0 / 255.0 - static_cast<double>(from.mean[channel])) / deviation;
        weight = static_cast<float>(static_cast<double>(weight) / (255.0 * deviation));
      }
      proj.bias[static_cast<std::size_t>(n)] = static_cast<float>(bias);
    }
    result_.patches = branch(proj, 1.0);
    for (std::size_t i = 0; i < vit_.positions.size(); ++i) {
      double value = static_cast<double>(vit_.positions[i]);
      if (i < vit_.class_token.size()) value += static_cast<double>(vit_.class_token[i]);
      result_.positions.push_back(static_cast<std::int32_t>(std::nearbyint(value / result_.residual_scale)));
    }
  }

  [[nodiscard]] IntegerBlock integer_block(const TransformerBlock& block) const {
    IntegerBlock result;
    const Attention& attention = block.attn;
    const double input = code_step(seen_.lhs(attention.qkv.site));
    result.norm1 = norm(block.norm1, input);
    result.qkv = linear(attention.qkv, input);
    const double q = code_step(seen_.lhs(attention.qk)), k = code_step(seen_.rhs(attention.qk));
    const double v = code_step(seen_.rhs(attention.av));
    const double score = q * k / std::sqrt(static_cast<double>(attention.dim() / attention.heads()));
    // Shiftmax's sum of powers stays clear of 2^31 for keys / step < 2^16. At least 2^-24 of a step: a shift below 62.
    const double least = static_cast<double>(vit_.tokens()) * 0x1p-15;
    result.score_scale = static_cast<float>(std::max(score, least));
    result.scores = Dyadic::of(std::max(score / static_cast<double>(result.score_scale), 0x1p-24));
    const auto dim = static_cast<std::size_t>(attention.dim());
    std::vector<double> outputs(dim, q);
    outputs.resize(2 * dim, k);
    outputs.resize(3 * dim, v);
    result.qkv.set_output(outputs);
    const double context = code_step(seen_.lhs(attention.proj.site));
    result.mixed_scale = v * code_of_one;
    result.context = ChannelRequantizer(std::vector<double>(dim, result.mixed_scale), {}, {context});
    result.proj = branch(attention.proj, context);
    add_perceptron(block, result);
    return result;
  }

  void add_perceptron(const TransformerBlock& block, IntegerBlock& result) const {
    const Mlp& mlp = block.mlp;
    const double input = code_step(seen_.lhs(mlp.fc1.site)), inner = code_step(seen_.lhs(mlp.fc2.site));
    result.norm2 = norm(block.norm2, input);
    result.fc1 = linear(mlp.fc1, input);
    result.gelu_scale = static_cast<float>(std::max(code_step(seen_.out(mlp.fc1.site)), 0x1p-15));
    const auto scale = static_cast<double>(result.gelu_scale);
    result.fc1.set_output({scale});
    const auto hidden = static_cast<std::size_t>(mlp.fc1.out_features());
    result.gelu = ChannelRequantizer(std::vector<double>(hidden, scale * code_of_one), {}, {inner});
    result.fc2 = branch(mlp.fc2, inner);
  }

  static constexpr double code_of_one = 0x1p-7;  // a unit of Shiftmax's and ShiftGELU's 8 bits

  const Vit& vit_;
  const MagnitudeEngine& seen_;
  const IntegerVitOptions& options_;
  IntegerVit result_;
};

/// What a float run leaves to be matched.
struct IntegerVitTargets {
  std::vector<std::vector<double>> means;  ///< of the channels of the residual stream, by number
  std::vector<double> context_powers;      ///< mean squares of what each projection reads
};

/// Moves the bias of a layer of `model` that gives part `number` of the residual stream.
inline void correct_bias(IntegerLinear& layer, const IntegerVit& model, const ImageView& images, std::size_t number,
                         const IntegerVitTargets& targets) {
  RunningChannelMeans seen;
  const auto visit = [&](Index at, MatrixView<const std::int32_t> x) {
    if (at == static_cast<Index>(number)) seen.add(x);
  };
  static_cast<void>(model.forward(images, {}, 16, {.stream = visit}));
  const std::vector<double>& means = targets.means[number];
  layer.bias.resize(means.size());
  for (std::size_t c = 0; c < means.size(); ++c) {
    const double error = seen.mean(static_cast<Index>(c)) * model.residual_scale - means[c];
    layer.bias[c] = static_cast<float>(static_cast<double>(layer.bias[c]) - error);
  }
  layer.set_output({model.residual_scale});
}

/// Makes up for what the integer operators cut off: the outputs of attention are widened to the power of the float
/// model's (Shiftmax rounds every probability down), and the biases of the layers that join the residual stream are
/// moved so that its channels have the float model's means. One layer after the other.
inline void correct(IntegerVit& model, const ImageView& images, const IntegerVitTargets& targets) {
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    IntegerBlock& block = model.blocks[b];
    double power = 0, count = 0;
    const auto add_power = [&](Index at, MatrixView<const std::int8_t> x) {
      if (at != static_cast<Index>(b)) return;
      for (Index r = 0; r < x.rows; ++r) {
        for (Index c = 0; c < x.cols; ++c) power += static_cast<double>(x(r, c)) * static_cast<double>(x(r, c));
      }
      count += static_cast<double>(x.size());
    };
    static_cast<void>(model.forward(images, {}, 16, {.context = add_power}));
    const double step = block.proj.in_scale;
    if (power > 0) block.mixed_scale *= std::sqrt(targets.context_powers[b] / (step * step * power / count));
    block.context =
        ChannelRequantizer(std::vector<double>(static_cast<std::size_t>(model.dim()), block.mixed_scale), {}, {step});
    correct_bias(block.proj, model, images, 2 * b + 1, targets);
    correct_bias(block.fc2, model, images, 2 * b + 2, targets);
  }
}

/// The integer-only form of `vit`, its scales from a float run over `options.images` of `calibration`. Outliers in
/// single channels behind a norm widen the step of the tensor: smooth the model first.
///
/// Errors: widths other than 2 to 8; fewer images than are to be drawn, or none; images of another shape than the
/// model's; a norm with a gain of 0. Class: bounded, as the float product of the calibration run; exact after it.
[[nodiscard]] inline IntegerVit integer_vit(const Vit& vit, const ImageView& calibration,
                                            const IntegerVitOptions& options = {}) {
  for (const int bits : {options.weight_bits, options.activation_bits}) {
    if (bits < 2 || bits > 8) raise("integer_vit", "a width is ", bits, " bits, expected 2 to 8");
  }
  if (options.images < 1 || options.images > calibration.count) {
    raise("integer_vit", "images is ", options.images, ", expected 1 to the ", calibration.count, " of calibration");
  }
  const Images drawn = draw_images(calibration, options.images, options.seed);
  MagnitudeEngine engine(options.float_product, vit.sites);
  std::vector<double> stream(vit.blocks.size() + 1);
  std::vector<RunningChannelMeans> stream_means(stream.size());
  const auto note = [&](Index number, MatrixView<const float> x) {
    const auto at = static_cast<std::size_t>(number);
    MinMax seen;
    seen.observe(x);
    stream[at] = std::max(stream[at], static_cast<double>(absmax(seen.range())));
    stream_means[at].add(x);
  };
  static_cast<void>(vit.forward(drawn.view(), engine, {.hidden = note}));
  double largest = *std::max_element(stream.begin(), stream.end());
  IntegerVitTargets targets{std::vector<std::vector<double>>(1), {}};
  for (std::size_t b = 0; b < vit.blocks.size(); ++b) {
    const Site& proj = vit.blocks[b].attn.proj.site;
    largest = std::max(largest, stream[b] + engine.out(proj));  // between the branches of a block, at most
    std::vector<double> middle, end;
    for (Index c = 0; c < vit.dim(); ++c) {
      middle.push_back(stream_means[b].mean(c) + engine.means(proj).mean(c));
      end.push_back(stream_means[b + 1].mean(c));
    }
    targets.means.push_back(std::move(middle));
    targets.means.push_back(std::move(end));
    targets.context_powers.push_back(engine.lhs_power(proj));
  }
  IntegerVit model = IntegerVitBuilder(vit, engine, largest, options).build();
  if (options.correction == IntegerCorrection::means_and_powers) correct(model, drawn.view(), targets);
  return model;
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
