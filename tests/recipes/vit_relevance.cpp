#include "halfstep/recipes/vit_relevance.hpp"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/dense_product.hpp"
#include "halfstep/models/vit.hpp"
#include "halfstep/recipes/lrp_qvit.hpp"
#include "halfstep/recipes/site_losses.hpp"
#include "support/catch.hpp"
#include "support/classification.hpp"
#include "support/models.hpp"
#include "support/random_layers.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
namespace recipes = halfstep::recipes;
using namespace halfstep_tests;

TEST_CASE("relevance reaches every site and is shared out", "[vit_relevance]") {
  const std::vector<std::uint8_t> pixels = random_pixels(4 * 3 * 8 * 12, 461);
  const hs::ImageView images{pixels.data(), 4, 3, 8, 12};
  const hs::Vit vit = VitCheckpoint(VitSizes{}).load();
  const std::vector<double> scores = hs::vit_relevance_scores(vit, images, hs::plain_product);
  REQUIRE(scores.size() == 13);
  for (const double score : scores) CHECK(score > 0);
  CHECK(std::fabs(std::accumulate(scores.begin(), scores.end(), 0.0) - 1) < 1e-12);
  // An image's own shares, by the rules one after the other: at the head stands the 1 that all begins with.
  hs::VitRelevance relevance(vit, hs::plain_product, {});
  CHECK(relevance.magnitudes(images.range(0, 1))[static_cast<std::size_t>(vit.head.site.index)] == 1);
  CHECK_RAISES(hs::vit_relevance_scores(vit, images.range(0, 0)), "images is empty");
  const auto layers = hs::relevance_site_losses(vit, scores, {2, 4});
  CHECK(layers[0].losses[0] == scores[0] / 16);
  CHECK_RAISES(hs::relevance_site_losses(vit, {1.0}, {2, 4}), "scores has 1 entries, expected 13");
}

TEST_CASE("the error of a site's output falls with its width", "[site_losses]") {
  const std::vector<std::uint8_t> pixels = random_pixels(9 * 3 * 8 * 12, 462);
  const hs::ImageView images{pixels.data(), 9, 3, 8, 12};
  const hs::Vit vit = VitCheckpoint(VitSizes{}).load();
  const hs::VitRecipeOptions options{.images = 6, .float_product = hs::plain_product};
  const auto layers = hs::output_error_losses(
      vit, images, options, {3, 8}, [&](const hs::VitRecipeOptions& o) { return recipes::lrp_qvit(vit, images, o); });
  REQUIRE(layers.size() == 13);
  for (const hs::LayerOptions& layer : layers) CHECK(layer.losses[1] < layer.losses[0]);
}

// No numbers of relevance-scored allocation were measured for these models: the budget is kept, and KL is shown beside
// that of one width for all.
TEST_CASE("LRP-QViT's widths by relevance keep the budget on glyph_vit", "[vit_relevance][slow]") {
  const auto path = find_model("glyph_vit.safetensors");
  const auto data = find_model("glyph_eval.safetensors");
  if (!path || !data) return;
  const hs::SafetensorsFile file = hs::SafetensorsFile::open(*data);
  const hs::Vit vit = hs::load_vit(*path);
  const hs::ImageView calibration = hs::view_images(file, "calib.images");
  hs::ThreadPool pool(2);
  const std::vector<int> widths{2, 3, 4, 5, 6, 8};
  hs::VitRecipeOptions options{
      .weight_bits = 4, .activation_bits = 4, .float_product = hs::dense_product, .executor = pool};
  const auto recipe = [&](const hs::VitRecipeOptions& o) { return recipes::lrp_qvit(vit, calibration, o); };
  const auto show = [&](const char* name, const hs::PrecisionPlan& plan) {
    hs::VitRecipeOptions own = options;
    own.site_bits = plan.site_bits;
    const hs::MatrixF logits = recipe(own).forward(hs::view_images(file, "test.images"), pool, hs::dense_product);
    const double top1 = top1_percent(hs::view(logits), file.integers<std::int32_t>("test.labels"));
    WARN(name << ", average " << plan.average_bits << ": top-1 " << top1 << ", KL "
              << mean_kl(file.view<float>("fp32.logits"), hs::view(logits)));
    return top1;
  };
  const double uniform = show("uniform 4", {});
  const std::vector<double> scores = hs::vit_relevance_scores(vit, calibration.range(0, 8), hs::dense_product, pool);
  const hs::PrecisionPlan by_relevance =
      hs::plan_precision(vit, hs::relevance_site_losses(vit, scores, widths), {.average_bits = 4});
  CHECK(by_relevance.average_bits <= 4);
  show("relevance", by_relevance);
  const hs::PrecisionPlan by_error =
      hs::plan_precision(vit, hs::output_error_losses(vit, calibration, options, widths, recipe), {.average_bits = 4});
  CHECK(by_error.average_bits <= 4);
  show("output error", by_error);
  CHECK(uniform >= 92.8);  // ../shared/spec/accuracy-vit.md, section 8: LRP-QViT clip W4A4
}
