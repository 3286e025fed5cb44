#include "halfstep/models/vision_transformer.hpp"

#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/models/vit.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"
#include "support/temporary_directory.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

hs::Vit small_vit(const VitSizes& sizes = {}) {
  const halfstep_test::TemporaryDirectory directory;
  VitCheckpoint(sizes).write(directory.file("vit.safetensors"));
  return hs::load_vit(directory.file("vit.safetensors"));
}

}  // namespace

TEST_CASE("Vit agrees with loops in double", "[vision_transformer]") {
  const VitSizes sizes;
  const hs::Vit vit = small_vit(sizes);
  const std::vector<std::uint8_t> pixels = random_pixels(4 * 3 * 8 * 12, 201);
  const hs::ImageView images{pixels.data(), 4, 3, 8, 12};
  hs::FloatEngine engine(hs::eigen_product);
  const hs::MatrixF logits = vit.forward(images, engine);
  CHECK(relative_difference(hs::view(logits), plain_vit(vit, images)) < float_tolerance);
  CHECK(vit.forward(images.range(0, 0), engine).rows() == 0);
}

TEST_CASE("Vit gives an image the same bytes alone, in any batch, on any number of threads", "[vision_transformer]") {
  const hs::Vit vit = small_vit();
  const std::vector<std::uint8_t> pixels = random_pixels(8 * 3 * 8 * 12, 202);
  const hs::ImageView images{pixels.data(), 8, 3, 8, 12};
  hs::FloatEngine engine(hs::eigen_product);
  const hs::MatrixF together = vit.forward(images, engine);
  for (hs::Index i = 0; i < images.count; ++i) {
    const hs::MatrixF alone = vit.forward(images.range(i, 1), engine);
    CHECK(first_difference(hs::view(alone), hs::view(together).row_range(i, 1)) == "");
  }
  for (const hs::Index images_at_a_time : {1, 3, 100}) {
    hs::ThreadPool pool(3);
    hs::FloatEngine threaded(hs::eigen_product, {.executor = pool});
    const hs::MatrixF cut = vit.forward(images, threaded, {.images_at_a_time = images_at_a_time});
    CHECK(first_difference(hs::view(cut), hs::view(together)) == "");
  }
}

TEST_CASE("Vit shows what its blocks give", "[vision_transformer]") {
  const hs::Vit vit = small_vit();
  const std::vector<std::uint8_t> pixels = random_pixels(3 * 3 * 8 * 12, 203);
  const hs::ImageView images{pixels.data(), 3, 3, 8, 12};
  hs::FloatEngine engine(hs::plain_product);
  std::vector<std::string> seen;
  const auto hidden = [&](hs::Index number, hs::MatrixView<const float> x) {
    seen.push_back(hs::concat(number, ": ", hs::shape_of(x)));
  };
  static_cast<void>(vit.forward(images, engine, {.images_at_a_time = 2, .hidden = hidden}));
  CHECK(seen == std::vector<std::string>{"0: [18, 12]", "1: [18, 12]", "2: [18, 12]", "0: [9, 12]", "1: [9, 12]",
                                         "2: [9, 12]"});
}

TEST_CASE("a warm Vit allocates nothing", "[vision_transformer]") {
  const hs::Vit vit = small_vit();
  const std::vector<std::uint8_t> pixels = random_pixels(3 * 3 * 8 * 12, 204);
  const hs::ImageView images{pixels.data(), 3, 3, 8, 12};
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  FloatMatrix logits(3, 5);
  const auto run = [&] { vit.forward_into(images, engine, workspace, logits.view()); };
  run();
  CHECK(allocations_of(run) == 0);
}

TEST_CASE("Vit lists its linear layers and its norms with their consumers", "[vision_transformer]") {
  hs::Vit vit = small_vit({.depth = 1});
  std::vector<std::string> linears, norms;
  vit.for_each_linear([&](const hs::Linear& layer) { linears.push_back(layer.site.name); });
  CHECK(linears == std::vector<std::string>{"patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.attn.proj",
                                            "blocks.0.mlp.fc1", "blocks.0.mlp.fc2", "head"});
  vit.for_each_norm([&](const hs::NormConsumers& norm) {
    REQUIRE(norm.consumers.size() == 1);
    norms.push_back(hs::concat(norm.name, " -> ", norm.consumers.front()->site.name));
    CHECK(norm.norm.channels() == 12);
    CHECK(norm.consumers.front()->view().in_features() == 12);
  });
  CHECK(norms == std::vector<std::string>{"blocks.0.norm1 -> blocks.0.attn.qkv", "blocks.0.norm2 -> blocks.0.mlp.fc1",
                                          "norm -> head"});
  std::vector<std::string> sites;
  for (const hs::Site& site : vit.sites.all()) sites.push_back(site.name);
  CHECK(sites == std::vector<std::string>{"patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.attn.qk",
                                          "blocks.0.attn.av", "blocks.0.attn.proj", "blocks.0.mlp.fc1",
                                          "blocks.0.mlp.fc2", "head"});
}

TEST_CASE("scales moved from a norm to its consumers leave the function as it is", "[vision_transformer]") {
  hs::Vit vit = small_vit();
  const hs::Vit original = vit;
  vit.for_each_norm([](const hs::NormConsumers& norm) {
    for (hs::Index c = 0; c < norm.norm.channels(); ++c) {
      const float scale = c % 2 == 0 ? 8.0f : 0.25f;
      norm.norm.gain.data[c] *= scale;
      norm.norm.bias.get().data[c] *= scale;
      for (hs::Linear* linear : norm.consumers) {
        const hs::LinearView view = linear->view();
        for (hs::Index n = 0; n < view.out_features(); ++n) view.weight(n, c) /= scale;
      }
    }
  });
  const std::vector<std::uint8_t> pixels = random_pixels(2 * 3 * 8 * 12, 205);
  const hs::ImageView images{pixels.data(), 2, 3, 8, 12};
  hs::FloatEngine engine(hs::plain_product);
  const hs::MatrixF moved = vit.forward(images, engine);
  CHECK(relative_difference(hs::view(moved), plain_vit(original, images)) < float_tolerance);
}

TEST_CASE("Vit refuses images that it cannot read", "[vision_transformer]") {
  const hs::Vit vit = small_vit();
  hs::FloatEngine engine(hs::plain_product);
  const std::vector<std::uint8_t> pixels(1000);
  CHECK_RAISES(vit.forward({pixels.data(), 1, 1, 8, 12}, engine),
               "Vit::forward: images are 1 x 8 x 12, expected 3 x 8 x 12 (channels, height, width)");
  CHECK_RAISES(vit.forward({nullptr, 1, 3, 8, 12}, engine), "1 images without pixels");
  CHECK_RAISES(vit.forward({pixels.data(), 1, 3, 8, 12}, engine, {.images_at_a_time = 0}), "images_at_a_time is 0");
  FloatMatrix out(2, 5);
  hs::RunWorkspace workspace;
  CHECK_RAISES(vit.forward_into({pixels.data(), 1, 3, 8, 12}, engine, workspace, out.view()),
               "out has shape [2, 5], expected [1, 5]");
}
