#pragma once

/// \file
/// LRP-QViT's scores: how much relevance arrives at each site of a vision transformer, and the losses of widths that
/// follow from it.
///
///     for each image:  R = 1 at the logit of the class that the model decides for
///                      backward through the head, and through each block: sum, fc2, fc1, sum, proj, attention, qkv
///     score of a site = its share of sum |R|, mean over images;      loss of b bits = score * 4^-b
///
/// Source: Ranjan and Savakis, "LRP-QViT", 2024, with the rules of Chefer, Gur and Wolf, CVPR 2021
/// (calibrators/precision/relevance.hpp).

#include "halfstep/calibrators/precision/allocation.hpp"
#include "halfstep/calibrators/precision/relevance.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/transformer_block.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/mixed_precision.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The operands of a float run of one image, and the way back through it.
class VitRelevance {
 public:
  VitRelevance(const Vit& vit, FloatProduct product, ExecutorRef executor)
      : vit_(vit), product_(product), executor_(executor) {}

  /// Sums of |R| at the outputs of all sites, by index.
  [[nodiscard]] std::vector<double> magnitudes(const ImageView& image) {
    const auto sites = static_cast<std::size_t>(vit_.sites.size());
    lhs_.assign(sites, {});
    rhs_.assign(sites, {});
    stream_.clear();
    found_.assign(sites, 0.0);
    const auto keep = [&](const ProductRecord& seen) {
      const auto at = static_cast<std::size_t>(seen.site.index);
      lhs_[at].push_back(as_eigen(seen.lhs));
      if (seen.site.kind == SiteKind::attention) rhs_[at].push_back(as_eigen(seen.rhs));
    };
    const auto keep_stream = [&](Index, MatrixView<const float> x) { stream_.push_back(as_eigen(x)); };
    RecordingEngine engine(product_, keep);
    const MatrixF logits = vit_.forward(image, engine, {.hidden = keep_stream});
    Index decided = 0;
    logits.row(0).maxCoeff(&decided);
    MatrixF relevance = MatrixF::Zero(1, vit_.classes());
    relevance(0, decided) = 1;
    const MatrixF of_class_token = behind(vit_.head, relevance);
    relevance = MatrixF::Zero(vit_.tokens(), vit_.dim());
    relevance.row(0) = of_class_token.row(0);
    for (std::size_t b = vit_.blocks.size(); b-- > 0;) relevance = through(vit_.blocks[b], stream_[b], relevance);
    return found_;
  }

 private:
  [[nodiscard]] const MatrixF& input(const Site& site) const { return lhs_[static_cast<std::size_t>(site.index)][0]; }
  void note(const Site& site, const MatrixF& relevance) {
    found_[static_cast<std::size_t>(site.index)] += relevance_magnitude(relevance);
  }

  /// The relevance of the input of `layer` from that of its output, which is noted.
  [[nodiscard]] MatrixF behind(const Linear& layer, const MatrixF& relevance) {
    note(layer.site, relevance);
    return relevance_of_linear(input(layer.site), layer.weight_view(), relevance, 1, executor_);
  }

  /// What a linear layer gave.
  [[nodiscard]] MatrixF output(const Linear& layer) const {
    const MatrixF& x = input(layer.site);
    MatrixF out(x.rows(), layer.out_features());
    product_(view(x), layer.weight_view(), mutable_view(out));
    for (Index c = 0; c < static_cast<Index>(layer.bias.size()); ++c) {
      out.col(c).array() += layer.bias[static_cast<std::size_t>(c)];
    }
    return out;
  }

  /// The relevance of x in front of a block from that of what it gives. Norms, GELU and softmax pass it on as it is.
  [[nodiscard]] MatrixF through(const TransformerBlock& block, const MatrixF& x, const MatrixF& relevance) {
    const MatrixF attended = output(block.attn.proj);
    const MatrixF middle = x + attended;
    const RelevancePair outer = relevance_of_sum(middle, output(block.mlp.fc2), relevance);
    const std::vector<MatrixF> of_middle{outer.first, behind(block.mlp.fc1, behind(block.mlp.fc2, outer.second))};
    const RelevancePair inner = relevance_of_sum(x, attended, relevance_of_copies(middle, of_middle));
    const MatrixF of_packed = through(block.attn, behind(block.attn.proj, inner.second));
    const std::vector<MatrixF> of_x{inner.first, behind(block.attn.qkv, of_packed)};
    return relevance_of_copies(x, of_x);
  }

  /// The relevance of q, k, v `[tokens, 3 dim]` from that of the heads' outputs.
  [[nodiscard]] MatrixF through(const Attention& attention, const MatrixF& relevance) {
    const Index heads = attention.heads(), dim = attention.dim(), size = dim / heads;
    note(attention.av, relevance);
    MatrixF packed(relevance.rows(), 3 * dim);
    for (Index h = 0; h < heads; ++h) {
      const auto head = static_cast<std::size_t>(h);
      const auto operand = [&](const auto& all, const Site& site) -> const MatrixF& {
        return all[static_cast<std::size_t>(site.index)][head];
      };
      const MatrixF values = operand(rhs_, attention.av).transpose();
      const MatrixF own = relevance.middleCols(h * size, size);
      const AttentionRelevance parts = relevance_of_attention(operand(lhs_, attention.qk), operand(rhs_, attention.qk),
                                                              operand(lhs_, attention.av), values, own);
      note(attention.qk, parts.probabilities);
      packed.middleCols(h * size, size) = parts.queries;
      packed.middleCols(dim + h * size, size) = parts.keys;
      packed.middleCols(2 * dim + h * size, size) = parts.values;
    }
    return packed;
  }

  const Vit& vit_;
  FloatProduct product_;
  ExecutorRef executor_;
  std::vector<std::vector<MatrixF>> lhs_, rhs_;  // by site, then head
  std::vector<MatrixF> stream_;
  std::vector<double> found_;
};

/// Scores of the sites in the order of `precision_sites`, which sum to 1, over `images`. Errors: no images, or of
/// another shape. Costs some 20 float runs of each image. Class: bounded.
[[nodiscard]] inline std::vector<double> vit_relevance_scores(const Vit& vit, const ImageView& images,
                                                              FloatProduct product = eigen_product,
                                                              ExecutorRef executor = {}) {
  if (images.count < 1) raise("vit_relevance_scores", "images is empty, expected at least one");
  VitRelevance relevance(vit, product, executor);
  std::vector<std::vector<double>> magnitudes;
  for (Index i = 0; i < images.count; ++i) {
    const std::vector<double> all = relevance.magnitudes(images.range(i, 1));
    std::vector<double>& own = magnitudes.emplace_back();
    for (const Site& site : precision_sites(vit)) own.push_back(all[static_cast<std::size_t>(site.index)]);
  }
  return relevance_scores(magnitudes);
}

/// The layers of an allocation whose losses follow from scores: for `plan_precision`.
[[nodiscard]] inline std::vector<LayerOptions> relevance_site_losses(const Vit& vit, const std::vector<double>& scores,
                                                                     const std::vector<int>& widths) {
  const std::vector<Site> sites = precision_sites(vit);
  if (scores.size() != sites.size()) {
    raise("relevance_site_losses", "scores has ", scores.size(), " entries, expected ", sites.size(), " (sites)");
  }
  std::vector<LayerOptions> layers(sites.size());
  for (std::size_t s = 0; s < sites.size(); ++s) {
    for (const int bits : widths) layers[s].costs.push_back(multiplications(vit, sites[s]) * bits);
    layers[s].losses = relevance_losses(scores[s], widths);
  }
  return layers;
}

}  // namespace halfstep::inline HALFSTEP_ABI
