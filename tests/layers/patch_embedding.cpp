#include "halfstep/layers/patch_embedding.hpp"

#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("patches are cut row by row, their values ordered channel, row, column", "[patch_embedding]") {
  // 2 channels of 2 x 4 pixels, patches of 2 x 2; the linear map passes the eight values of a patch through.
  hs::SiteList sites;
  hs::PatchEmbedding embedding{{sites.add_linear("proj", {8, 8}), std::vector<float>(64), {}}, 2, 2, {0, 0}, {1, 1}};
  for (std::size_t i = 0; i < 8; ++i) embedding.proj.weight[9 * i] = 255;
  std::vector<std::uint8_t> pixels(16);
  for (std::size_t i = 0; i < 16; ++i) pixels[i] = static_cast<std::uint8_t>(i);
  const hs::ImageView image{pixels.data(), 1, 2, 2, 4};
  REQUIRE(embedding.patches(image) == 2);
  FloatMatrix out(2, 8);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  embedding.forward(image, out.view(), engine, workspace);
  const std::vector<float> expected{0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};
  for (std::size_t i = 0; i < 16; ++i) CHECK(out.values[i] == Approx(expected[i]).margin(1e-5));
}

TEST_CASE("PatchEmbedding agrees with loops in double for any sizes", "[patch_embedding]") {
  struct Sizes {
    hs::Index channels, height, width, patch_height, patch_width;
  };
  for (const Sizes s : {Sizes{1, 4, 4, 4, 4}, Sizes{3, 6, 10, 2, 5}, Sizes{2, 9, 3, 3, 1}}) {
    hs::SiteList sites;
    hs::PatchEmbedding embedding;
    embedding.proj = random_linear(sites, "proj", 5, s.channels * s.patch_height * s.patch_width, 171);
    embedding.patch_height = s.patch_height;
    embedding.patch_width = s.patch_width;
    embedding.mean = std::vector<float>{0.4f, 0.5f, 0.6f};
    embedding.deviation = std::vector<float>{0.25f, 0.2f, 0.3f};
    const std::vector<std::uint8_t> pixels = random_pixels(3 * s.channels * s.height * s.width, 172);
    const hs::ImageView images{pixels.data(), 3, s.channels, s.height, s.width};
    hs::ThreadPool pool(2);
    hs::FloatEngine engine(hs::plain_product, {.executor = pool});
    hs::RunWorkspace workspace;
    FloatMatrix out(3 * embedding.patches(images), 5);
    embedding.forward(images, out.view(), engine, workspace);
    CAPTURE(s.channels, s.height, s.width);
    CHECK(relative_difference(out.view(), plain_patches(embedding, images)) < float_tolerance);
  }
}
