#pragma once

/// \file
/// What tests of recipes for vision transformers share: a small model on which their structure is checked, and trained
/// ones on which accuracy is.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vit.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/vit_options.hpp"
#include "support/catch.hpp"
#include "support/classification.hpp"
#include "support/float_matrix.hpp"
#include "support/models.hpp"
#include "support/quantized_block.hpp"
#include "support/random_layers.hpp"
#include "support/vit_checkpoint.hpp"

namespace halfstep_tests {

/// A recipe with its own options chosen.
using VitRecipe = std::function<halfstep::QuantizedVit(const halfstep::Vit& vit, const halfstep::ImageView& images,
                                                       const halfstep::VitRecipeOptions& options)>;

/// A small random model with images.
struct SmallVit {
  std::vector<std::uint8_t> pixels = random_pixels(6 * 3 * 8 * 12, 617);
  halfstep::ImageView images{pixels.data(), 6, 3, 8, 12};
  halfstep::Vit vit = VitCheckpoint(VitSizes{}).load();
};

/// Every site has codes, those of the widths asked for; the integer engine computes what the fake-quantized one does,
/// within the bound that `FakeQuantizedEngine` states; results do not depend on threads; widths that there are not, and
/// sites that there are not, are refused under the recipe's `name`.
inline void check_vit_recipe(const std::string& name, const VitRecipe& recipe) {
  namespace hs = halfstep;
  CAPTURE(name);
  const SmallVit small;
  hs::VitRecipeOptions options{.weight_bits = 4, .activation_bits = 4, .images = 4};
  options.site_bits["blocks.1.attn.proj"] = {6, 6};
  const hs::QuantizedVit quantized = recipe(small.vit, small.images, options);
  for (const hs::Site& site : small.vit.sites.all()) {
    CAPTURE(site.name);
    const hs::SiteSpec& spec = quantized.specs().at(site);
    if (const auto* attention = std::get_if<hs::AttentionSpec>(&spec)) {
      CHECK((attention->lhs[0].bits() == 4 || attention->lhs[0].bits() == 5));  // 5: zero is a code more, as published
      CHECK(attention->rhs[0].bits() == 4);
      continue;
    }
    REQUIRE(std::holds_alternative<hs::LinearSpec>(spec));
    CHECK(std::get<hs::LinearSpec>(spec).weight_bits == (site.name == "blocks.1.attn.proj" ? 6 : 4));
  }
  PairedEngine engine(quantized.specs(), hs::eigen_product);
  static_cast<void>(quantized.model().forward(small.images, engine));
  CHECK(engine.worst() <= 1);
  CHECK(engine.integer().float_products().empty());

  hs::ThreadPool pool(3);
  options.executor = pool;
  CHECK(first_difference(hs::view(recipe(small.vit, small.images, options).forward(small.images)),
                         hs::view(quantized.forward(small.images))) == "");

  CHECK_RAISES(recipe(small.vit, small.images, {.weight_bits = 9, .images = 4}),
               name + ": weight_bits is 9, expected 2 to 8");
  CHECK_RAISES(recipe(small.vit, small.images, {.images = 7}), name + ": images is 7, expected 1 to the 6");
  options.site_bits["blocks.7.mlp.fc1"] = {4, 4};
  CHECK_RAISES(recipe(small.vit, small.images, options), "no site \"blocks.7.mlp.fc1\"");
}

/// Accuracy on all test images.
struct VitScore {
  double top1 = 0;
  double kl = 0;
};

/// A trained checkpoint with its images. Scores are kept, so that relative tests cost nothing more.
class GlyphModel {
 public:
  /// Nothing where the models are not there.
  static std::optional<GlyphModel> open(const std::string& name) {
    const auto model = find_model(name + ".safetensors"), data = find_model("glyph_eval.safetensors");
    if (!model || !data) return std::nullopt;
    return GlyphModel(name, model->string(), data->string());
  }

  VitScore score(const std::string& id, const VitRecipe& recipe, int bits, std::uint64_t seed = 0) {
    const auto key = std::tuple(id, bits, seed);
    if (const auto found = scores_.find(key); found != scores_.end()) return found->second;
    halfstep::ThreadPool pool(2);
    const halfstep::QuantizedVit quantized =
        recipe(vit_, calibration_, {.weight_bits = bits, .activation_bits = bits, .seed = seed, .executor = pool});
    const halfstep::MatrixF logits = quantized.forward(test_, pool);
    const VitScore score{top1_percent(halfstep::view(logits), labels_), mean_kl(reference(), halfstep::view(logits))};
    UNSCOPED_INFO(name_ << " " << id << " W" << bits << "A" << bits << ": " << score.top1 << " % / KL " << score.kl);
    return scores_[key] = score;
  }

 private:
  GlyphModel(std::string name, const std::string& model, const std::string& data)
      : name_(std::move(name)), data_(halfstep::SafetensorsFile::open(data)), vit_(halfstep::load_vit(model)) {
    halfstep::FloatEngine engine(halfstep::eigen_product);
    reference_ = vit_.forward(test_, engine);
  }
  [[nodiscard]] halfstep::MatrixView<const float> reference() const { return halfstep::view(reference_); }

  std::string name_;
  halfstep::SafetensorsFile data_;
  halfstep::Vit vit_;
  halfstep::ImageView calibration_ = halfstep::view_images(data_, "calib.images");
  halfstep::ImageView test_ = halfstep::view_images(data_, "test.images");
  std::vector<std::int32_t> labels_ = data_.integers<std::int32_t>("test.labels");
  halfstep::MatrixF reference_;
  std::map<std::tuple<std::string, int, std::uint64_t>, VitScore> scores_;
};

/// One line of the accuracy specification's thresholds (section 8, "at least"); kl 0: none is stated.
struct VitThreshold {
  std::string id;
  VitRecipe recipe;
  int bits;
  double top1, kl;
};

/// The mean over `seeds` draws of the calibration images: the specification's numbers are such means, and at 3 bits a
/// single draw may lie some points off (section 0).
inline void check_thresholds(GlyphModel& model, const std::vector<VitThreshold>& thresholds, std::uint64_t seeds = 1) {
  for (const VitThreshold& line : thresholds) {
    VitScore mean;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      const VitScore score = model.score(line.id, line.recipe, line.bits, seed);
      mean.top1 += score.top1 / static_cast<double>(seeds);
      mean.kl += score.kl / static_cast<double>(seeds);
    }
    CAPTURE(line.id, line.bits, mean.top1, mean.kl);
    CHECK(mean.top1 >= line.top1);
    if (line.kl > 0) CHECK(mean.kl <= line.kl);
  }
}

/// What outlier channels cost recipes that know channels at W4A4: 1.5 points at the most (section 8, relative tests).
inline void check_outliers_cost_little(GlyphModel& outlier, GlyphModel& plain,
                                       const std::vector<std::pair<std::string, VitRecipe>>& recipes) {
  for (const auto& [id, recipe] : recipes) {
    CAPTURE(id);
    CHECK(outlier.score(id, recipe, 4).top1 >= plain.score(id, recipe, 4).top1 - 1.5);
  }
}

}  // namespace halfstep_tests
