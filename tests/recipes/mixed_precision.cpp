#include "halfstep/recipes/mixed_precision.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/dense_product.hpp"
#include "halfstep/models/vit.hpp"
#include "halfstep/recipes/lrp_qvit.hpp"
#include "halfstep/recipes/mptq.hpp"
#include "halfstep/recipes/noisy_quant.hpp"
#include "halfstep/recipes/outlier_suppression_plus_vit.hpp"
#include "halfstep/recipes/repq.hpp"
#include "halfstep/recipes/smooth_quant_vit.hpp"
#include "support/catch.hpp"
#include "support/classification.hpp"
#include "support/float_matrix.hpp"
#include "support/models.hpp"
#include "support/random_layers.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
namespace recipes = halfstep::recipes;
using namespace halfstep_tests;

namespace {

/// A small random model and images that calibrate it.
struct SmallMixedVit {
  std::vector<std::uint8_t> pixels = random_pixels(9 * 3 * 8 * 12, 451);
  hs::ImageView images{pixels.data(), 9, 3, 8, 12};
  hs::Vit vit = VitCheckpoint(VitSizes{}).load();
  hs::VitRecipeOptions options{.weight_bits = 4, .activation_bits = 4, .images = 6, .float_product = hs::dense_product};

  /// The largest difference of the float logits of `model` from those of the original, over their largest magnitude.
  [[nodiscard]] float float_change(const hs::QuantizedVit& quantized) const {
    hs::FloatEngine engine(hs::plain_product);
    const hs::MatrixF before = vit.forward(images, engine), after = quantized.model().forward(images, engine);
    return (before - after).cwiseAbs().maxCoeff() / before.cwiseAbs().maxCoeff();
  }
};

/// A trained model, its images, and how far quantized ones are from it.
struct TrainedVit {
  hs::SafetensorsFile data;
  hs::Vit vit;
  hs::ThreadPool pool{2};
  std::vector<std::int32_t> labels = data.integers<std::int32_t>("test.labels");

  struct Score {
    double top1, kl;
  };
  [[nodiscard]] hs::ImageView calibration() const { return hs::view_images(data, "calib.images"); }
  [[nodiscard]] hs::VitRecipeOptions options(int bits) {
    return {.weight_bits = bits, .activation_bits = bits, .float_product = hs::dense_product, .executor = pool};
  }
  Score score(const std::string& name, const hs::QuantizedVit& quantized) {
    const hs::MatrixF logits = quantized.forward(hs::view_images(data, "test.images"), pool, hs::dense_product);
    const Score seen{top1_percent(hs::view(logits), labels),
                     mean_kl(data.view<float>("fp32.logits"), hs::view(logits))};
    WARN(name << ": top-1 " << seen.top1 << ", KL " << seen.kl);
    return seen;
  }
};

template <class Check>
void for_each_trained_vit(const Check& check) {
  for (const char* name : {"glyph_vit.safetensors", "glyph_vit_outlier.safetensors"}) {
    const auto path = find_model(name);
    const auto data = find_model("glyph_eval.safetensors");
    if (!path || !data) continue;
    CAPTURE(name);
    TrainedVit trained{hs::SafetensorsFile::open(*data), hs::load_vit(*path)};
    check(trained, std::string(name) == "glyph_vit.safetensors");
  }
}

}  // namespace

TEST_CASE("a site's multiplications are those of its product for one image", "[mixed_precision]") {
  const SmallMixedVit s;
  const auto of = [&](const char* name) { return hs::multiplications(s.vit, s.vit.sites.at(name)); };
  CHECK(of("patch_embed.proj") == 8 * 12 * 36);
  CHECK(of("blocks.1.attn.qkv") == 9 * 36 * 12);
  CHECK(of("blocks.1.attn.qk") == 3 * 9 * 9 * 4);
  CHECK(of("blocks.1.attn.av") == 3 * 9 * 9 * 4);
  CHECK(of("head") == 5 * 12);
  CHECK(hs::precision_sites(s.vit).size() == 13);
}

TEST_CASE("a plan keeps its budget, and the exact one loses no more than the greedy one", "[mixed_precision]") {
  const SmallMixedVit s;
  const auto recipe = [&](const hs::VitRecipeOptions& o) { return recipes::repq(s.vit, s.images, o); };
  const std::vector<int> widths{2, 4, 8};
  const auto layers = hs::divergence_losses(s.vit, s.images, s.options, widths, recipe);
  REQUIRE(layers.size() == 13);
  for (const double average : {2.0, 3.0, 5.5, 8.0}) {
    CAPTURE(average);
    const hs::PrecisionPlan exact = hs::plan_precision(s.vit, layers, {.average_bits = average, .widths = widths});
    const hs::PrecisionPlan greedy = hs::plan_precision(
        s.vit, layers, {.average_bits = average, .widths = widths, .search = hs::PrecisionSearch::greedy});
    CHECK(exact.average_bits <= average);
    CHECK(greedy.average_bits <= average);
    CHECK(exact.predicted_loss <= greedy.predicted_loss);
    CHECK(exact.site_bits.size() == 13);
  }
  // A site alone in codes: the same logits as a run of the whole model with only that site quantized.
  const hs::QuantizedVit four = recipe(s.options);
  hs::SiteSpecs specs = hs::float_specs(s.vit.sites);
  specs.set("blocks.1.attn.av", four.specs().at(s.vit.sites.at("blocks.1.attn.av")));
  const hs::Images drawn = hs::draw_images(s.images, 6, 0);
  hs::IntegerEngine engine(specs, {}, hs::dense_product);
  hs::FloatEngine floats(hs::dense_product);
  const double expected =
      hs::logit_divergence(s.vit.forward(drawn.view(), floats), four.model().forward(drawn.view(), engine));
  const hs::Index site = s.vit.sites.at("blocks.1.attn.av").index - 1;
  // Float runs of a model and of the one with scales moved differ by rounding, far below a divergence of codes.
  CHECK(layers[static_cast<std::size_t>(site)].losses[1] == Approx(expected).epsilon(1e-2));
}

TEST_CASE("mixed precision gives each site the width of its plan", "[mixed_precision]") {
  const SmallMixedVit s;
  const auto mixed =
      recipes::mixed_precision(s.vit, s.images, s.options, {.average_bits = 3.5, .widths = {3, 4, 6}},
                               [&](const hs::VitRecipeOptions& o) { return recipes::lrp_qvit(s.vit, s.images, o); });
  for (const auto& [name, bits] : mixed.plan.site_bits) {
    CAPTURE(name);
    const auto* linear = std::get_if<hs::LinearSpec>(&mixed.model.specs().at(s.vit.sites.at(name)));
    if (linear != nullptr) CHECK(linear->weight_bits == bits.weight);
  }
  const auto refuses = [&](const hs::MixedPrecisionOptions& mixed_options, const char* part) {
    CHECK_RAISES(
        recipes::mixed_precision(s.vit, s.images, s.options, mixed_options,
                                 [&](const hs::VitRecipeOptions& o) { return recipes::repq(s.vit, s.images, o); }),
        part);
  };
  refuses({.average_bits = 2, .widths = {3, 4}}, "average_bits is 2, expected 3");
  refuses({.average_bits = 4, .widths = {4, 3}}, "widths do not grow");
  refuses({.average_bits = 4, .widths = {}}, "widths is empty");
}

TEST_CASE("recipes that move scales leave the float model what it was", "[mixed_precision]") {
  const SmallMixedVit s;
  // Folding rounds each weight and gain once or twice: 1e-4 of the largest logit is a hundred times that.
  CHECK(s.float_change(recipes::smooth_quant(s.vit, s.images, s.options)) < 1e-4f);
  CHECK(s.float_change(recipes::outlier_suppression_plus(s.vit, s.images, s.options)) < 1e-4f);
  CHECK(s.float_change(recipes::mptq(s.vit, s.images, s.options)) < 1e-4f);
  CHECK(s.float_change(recipes::lrp_qvit(s.vit, s.images, s.options)) < 1e-4f);
}

TEST_CASE("noise is taken out of the bias, and no layer's error rises on its tokens", "[mixed_precision]") {
  const SmallMixedVit s;
  const hs::QuantizedVit base = recipes::smooth_quant(s.vit, s.images, s.options);
  const hs::QuantizedVit noisy = recipes::noisy_quant(base, s.images, {.float_product = hs::plain_product});
  const auto inputs = hs::spread_inputs(base.model(), s.images, 384, hs::plain_product);
  int changed = 0;
  base.model().for_each_linear([&](const hs::Linear& layer) {
    const auto& spec = std::get<hs::LinearSpec>(noisy.specs().at(layer.site));
    if (!spec.transform) return;
    ++changed;
    const auto& numbers = spec.transform.target<hs::AddToChannels>()->numbers;
    hs::NoiseChooser chooser(inputs.at(layer.site.index), std::get<hs::Activation>(spec.input),
                             hs::decode_packed(spec.weight), hs::plain_product);
    CHECK(chooser.error(numbers) < chooser.error(std::vector<float>(numbers.size(), 0.0f)));
  });
  CHECK(changed > 0);
  CHECK_RAISES(recipes::noisy_quant(base, s.images.range(0, 0)), "images is empty");
}

// ../shared/spec/accuracy-vit.md, section 8: "at least" of mixed precision with RepQ-ViT, and 0.6 of the uniform KL.
TEST_CASE("RepQ-ViT in mixed precision reaches the table", "[mixed_precision][slow]") {
  for_each_trained_vit([](TrainedVit& trained, bool) {
    const auto recipe = [&](const hs::VitRecipeOptions& o) {
      return recipes::repq(trained.vit, trained.calibration(), o);
    };
    const std::vector<int> widths{2, 3, 4, 5, 6, 8};
    const auto layers = hs::divergence_losses(trained.vit, trained.calibration(), trained.options(4), widths, recipe);
    const double least_top1[] = {87.5, 93.8, 94.8}, most_kl[] = {0.25, 0.030, 0.013};
    for (const int average : {3, 4, 5}) {
      const hs::PrecisionPlan plan =
          hs::plan_precision(trained.vit, layers, {.average_bits = static_cast<double>(average)});
      hs::VitRecipeOptions options = trained.options(average);
      const auto uniform = trained.score(hs::concat("uniform ", average), recipe(options));
      options.site_bits = plan.site_bits;
      const auto mixed = trained.score(hs::concat("mixed ", average), recipe(options));
      CHECK(mixed.top1 >= least_top1[average - 3]);
      CHECK(mixed.kl <= most_kl[average - 3]);
      if (average <= 4) CHECK(mixed.kl <= 0.6 * uniform.kl);
      if (average == 3) CHECK(mixed.top1 >= uniform.top1 + 10);
    }
  });
}
