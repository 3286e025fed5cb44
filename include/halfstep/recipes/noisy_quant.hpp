#pragma once

/// \file
/// NoisyQuant on top of any recipe: a fixed number is added to each channel of a linear layer's input before it is
/// encoded, and taken out of the bias.
///
///     y = Q(x + N) Wq^T + (b - Wq N)       N_c = amplitude * step * u_c,  u_c drawn from [-1/2, 1/2)
///     of some draws and amplitudes, 0 among them, the one of least output error
///
/// Source: Liu et al., "NoisyQuant", CVPR 2023: noise drawn uniformly over a range tied to the step. A layer's error
/// never rises on the tokens that it is chosen by; the model's may.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/noisy_bias.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/row_transforms.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/spread_rows.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How noise is searched.
struct NoisyQuantOptions {
  std::vector<float> amplitudes = {0.25f, 0.5f, 0.75f, 1.0f};  ///< of a step
  int draws = 4;
  Index tokens = 384;  ///< that errors are taken over, evenly spread
  std::uint64_t seed = 0;
  FloatProduct float_product = eigen_product;  ///< of the run that inputs are taken from
};

/// The noise of one layer's input.
class NoiseChooser {
 public:
  /// `x` `[tokens, in_features]`, `weight` the decoded one.
  NoiseChooser(const MatrixF& x, const Activation& input, MatrixF weight, FloatProduct product)
      : x_(x), input_(input), weight_(std::move(weight)), product_(product) {}

  /// The mean squared error of the output with `noise`.
  [[nodiscard]] double error(const std::vector<float>& noise) {
    MatrixF noisy(x_.rows(), x_.cols()), change(x_.rows(), x_.cols()), out(x_.rows(), weight_.rows());
    AddToChannels{noise}(view(x_), mutable_view(noisy));
    fake_quantize_into(view(noisy), input_, mutable_view(change), workspace_);
    change -= noisy;  // Q(x + N) - N - x
    product_(view(change), view(weight_), mutable_view(out));
    return out.cast<double>().squaredNorm() / static_cast<double>(out.size());
  }

  /// The best of all draws and amplitudes; empty where none is better than no noise.
  [[nodiscard]] std::vector<float> choose(const NoisyQuantOptions& options, std::uint64_t stream) {
    std::vector<float> best;
    double least = error(std::vector<float>(static_cast<std::size_t>(x_.cols()), 0.0f));
    for (int draw = 0; draw < options.draws; ++draw) {
      const Random random(options.seed + 1000003 * stream + static_cast<std::uint64_t>(draw));
      const ShiftScale unit = uniform_noise(x_.cols(), input_.static_scale().unit, random);
      for (const float amplitude : options.amplitudes) {
        std::vector<float> noise;
        for (const float shift : unit.shift) noise.push_back(-shift * amplitude);
        const double seen = error(noise);
        if (!(seen < least)) continue;
        best = std::move(noise);
        least = seen;
      }
    }
    return best;
  }

 private:
  const MatrixF& x_;
  const Activation& input_;
  MatrixF weight_;
  FloatProduct product_;
  Workspace workspace_;
};

/// About `tokens` rows of the input of each linear site of `vit` in a float run, evenly spread, by index of the site.
[[nodiscard]] inline std::map<Index, MatrixF> spread_inputs(const Vit& vit, const ImageView& images, Index tokens,
                                                            FloatProduct product) {
  std::map<Index, MatrixF> kept;
  const auto keep = [&](const ProductRecord& seen) {
    if (seen.site.kind != SiteKind::linear) return;
    kept[seen.site.index] = as_eigen(spread_rows(seen.lhs, tokens));
  };
  RecordingEngine recording(product, keep);
  static_cast<void>(vit.forward(images, recording, {.images_at_a_time = images.count}));
  return kept;
}

namespace recipes {

/// `base` with noise at the inputs of its linear layers that are encoded by one static quantizer and not transformed
/// otherwise, chosen on `images`. Class: bounded. Error: no images, or of another shape.
[[nodiscard]] inline QuantizedVit noisy_quant(const QuantizedVit& base, const ImageView& images,
                                              const NoisyQuantOptions& options = {}) {
  if (images.count < 1) raise("noisy_quant", "images is empty, expected at least one");
  Vit vit = base.model();
  SiteSpecs specs = base.specs();
  const std::map<Index, MatrixF> inputs = spread_inputs(vit, images, options.tokens, options.float_product);
  vit.for_each_linear([&](Linear& layer) {
    const auto* spec = std::get_if<LinearSpec>(&specs.at(layer.site));
    if (spec == nullptr || spec->transform) return;
    const auto* input = std::get_if<Activation>(&spec->input);
    if (input == nullptr || input->keeps_floats() || input->is_dynamic()) return;
    MatrixF weight = decode_packed(spec->weight);
    NoiseChooser chooser(inputs.at(layer.site.index), *input, weight, options.float_product);
    const std::vector<float> noise = chooser.choose(options, static_cast<std::uint64_t>(layer.site.index));
    if (noise.empty()) return;
    fold_into_consumer(with_noise(noise), {mutable_view(weight), layer.bias});
    LinearSpec noisy = *spec;
    noisy.transform = AddToChannels{noise};
    specs.set(layer.site.name, std::move(noisy));
  });
  return {std::move(vit), std::move(specs)};
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
