#include "halfstep/recipes/integer_vit.hpp"

#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/models/vit.hpp"
#include "support/catch.hpp"
#include "support/classification.hpp"
#include "support/float_matrix.hpp"
#include "support/models.hpp"
#include "support/random_layers.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("an integer-only model gives the same bytes for any batch and any threads", "[integer_vit]") {
  const std::vector<std::uint8_t> pixels = random_pixels(9 * 3 * 8 * 12, 441);
  const hs::ImageView images{pixels.data(), 9, 3, 8, 12};
  const hs::IntegerVit model = hs::recipes::integer_vit(VitCheckpoint(VitSizes{}).load(), images, {.images = 6});
  const hs::MatrixF logits = model.forward(images);
  hs::ThreadPool pool(3);
  for (const hs::Index batch : {1, 8}) {
    CHECK(first_difference(hs::view(model.forward(images, pool, batch)), hs::view(logits)) == "");
  }
}

TEST_CASE("integer_vit refuses what it cannot quantize", "[integer_vit]") {
  const std::vector<std::uint8_t> pixels = random_pixels(9 * 3 * 8 * 12, 441);
  const hs::ImageView images{pixels.data(), 9, 3, 8, 12};
  hs::Vit vit = VitCheckpoint(VitSizes{}).load();
  CHECK_RAISES(hs::recipes::integer_vit(vit, images, {.weight_bits = 9, .images = 6}), "9 bits, expected 2 to 8");
  CHECK_RAISES(hs::recipes::integer_vit(vit, images, {.images = 10}), "images is 10, expected 1 to the 9");
  const hs::IntegerVit model = hs::recipes::integer_vit(vit, images, {.images = 6});
  CHECK_RAISES(model.forward({pixels.data(), 1, 1, 8, 12}), "images are 1 x 8 x 12, expected 3 x 8 x 12");
  vit.blocks[1].norm2.weight[3] = 0;
  CHECK_RAISES(hs::recipes::integer_vit(vit, images, {.images = 6}), "channel 3 has gain 0");
}

// ../shared/spec/accuracy-vit.md, section 8: any recipe at W8A8. Without correction nothing is promised but that the
// correction helps: both numbers are of the same images and weights.
TEST_CASE("integers from patches to logits keep the accuracy of glyph_vit at 8 bits", "[integer_vit][slow]") {
  const auto path = find_model("glyph_vit.safetensors");
  const auto data = find_model("glyph_eval.safetensors");
  if (!path || !data) return;
  const hs::SafetensorsFile file = hs::SafetensorsFile::open(*data);
  const hs::Vit vit = hs::load_vit(*path);
  const auto labels = file.integers<std::int32_t>("test.labels");
  const auto reference = file.view<float>("fp32.logits");
  hs::ThreadPool pool(2);
  const auto kl_of = [&](hs::recipes::IntegerCorrection correction) {
    const hs::IntegerVit model =
        hs::recipes::integer_vit(vit, hs::view_images(file, "calib.images"), {.correction = correction});
    const hs::MatrixF logits = model.forward(hs::view_images(file, "test.images"), pool);
    const double top1 = top1_percent(hs::view(logits), labels), kl = mean_kl(reference, hs::view(logits));
    WARN("integer W8A8: top-1 " << top1 << ", KL " << kl);
    if (correction == hs::recipes::IntegerCorrection::means_and_powers) CHECK(top1 >= 94.8);
    return kl;
  };
  const double corrected = kl_of(hs::recipes::IntegerCorrection::means_and_powers);
  CHECK(corrected <= 0.02);
  CHECK(corrected < kl_of(hs::recipes::IntegerCorrection::none));
}
