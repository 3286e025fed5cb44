#include "halfstep/recipes/quantized_model.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/recipes/nearest.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/quantized_block.hpp"
#include "support/random_layers.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A small random model in 4 bits, and images for it.
struct SmallQuantizedModel {
  std::vector<std::uint8_t> pixels = random_pixels(12 * 3 * 8 * 12, 421);
  hs::ImageView images{pixels.data(), 12, 3, 8, 12};
  hs::Vit vit = VitCheckpoint(VitSizes{}).load();
  hs::QuantizedVit quantized = hs::recipes::nearest(vit, images, {.weight_bits = 4, .activation_bits = 8, .images = 6});
};

}  // namespace

TEST_CASE("QuantizedModel runs the same specifications on either engine", "[quantized_model]") {
  const SmallQuantizedModel s;
  hs::IntegerEngine integer(s.quantized.specs());
  hs::FakeQuantizedEngine fake(s.quantized.specs(), hs::eigen_product);
  const hs::MatrixF logits = s.quantized.forward(s.images);
  CHECK(first_difference(hs::view(logits), hs::view(s.quantized.model().forward(s.images, integer))) == "");
  CHECK(first_difference(hs::view(s.quantized.forward_fake_quantized(s.images, hs::eigen_product)),
                         hs::view(s.quantized.model().forward(s.images, fake))) == "");
  CHECK(integer.float_products().empty());
  for (const int threads : {1, 2, 3}) {
    hs::ThreadPool pool(threads);
    CAPTURE(threads);
    CHECK(first_difference(hs::view(s.quantized.forward(s.images, pool)), hs::view(logits)) == "");
  }
  for (hs::Index i = 0; i < s.images.count; ++i) {
    CAPTURE(i);
    CHECK(first_difference(hs::view(s.quantized.forward(s.images.range(i, 1))), hs::view(logits).row_range(i, 1)) ==
          "");
  }
}

TEST_CASE("every product of a QuantizedModel agrees with its decoded codes within the bound", "[quantized_model]") {
  const SmallQuantizedModel s;
  PairedEngine engine(s.quantized.specs(), hs::eigen_product);
  static_cast<void>(s.quantized.model().forward(s.images, engine));
  CAPTURE(engine.worst());
  CHECK(engine.products() == 2 + 2 * (4 + 12 * 3 * 2));
  CHECK(engine.worst() <= 1);
}

TEST_CASE("QuantizedModel counts the bytes that products read", "[quantized_model]") {
  const SmallQuantizedModel s;
  // Embedding 12 x 36, two blocks of 36 x 12, 12 x 12, 20 x 12 and 12 x 20, head 5 x 12.
  constexpr hs::Index weights = 12 * 36 + 2 * (36 * 12 + 12 * 12 + 2 * 20 * 12) + 5 * 12;
  hs::Index packed = 0;
  for (const hs::Site& site : s.vit.sites.all()) {
    if (site.kind == hs::SiteKind::linear) {
      packed += std::get<hs::LinearSpec>(s.quantized.specs().at(site)).weight.bytes();
    }
  }
  CHECK(s.quantized.weight_count() == weights);
  CHECK(s.quantized.bytes() == packed);
  CHECK(s.quantized.bytes() > weights / 2);
  CHECK(s.quantized.bits_per_weight() == 8.0 * static_cast<double>(packed) / static_cast<double>(weights));
}

TEST_CASE("sites that stay float cost four bytes a weight and need a float product", "[quantized_model]") {
  const SmallQuantizedModel s;
  hs::SiteSpecs specs = s.quantized.specs();
  const hs::Index packed = std::get<hs::LinearSpec>(specs.at(s.vit.head.site)).weight.bytes();
  specs.set("head", hs::FloatSpec{});
  specs.set("blocks.1.attn.av", hs::FloatSpec{});
  const hs::QuantizedVit mixed(s.vit, specs);
  CHECK(mixed.bytes() == s.quantized.bytes() - packed + 4 * 5 * 12);
  CHECK(mixed.weight_count() == s.quantized.weight_count());
  CHECK_RAISES(mixed.forward(s.images), "site \"blocks.1.attn.av\" stays float: a float_product is needed");
  CHECK(mixed.forward(s.images, {}, hs::plain_product).rows() == 12);

  for (const hs::Site& site : s.vit.sites.all()) specs.set(site.name, hs::FloatSpec{});
  const hs::QuantizedVit floats(s.vit, specs);
  hs::FloatEngine engine(hs::plain_product);
  CHECK(floats.bits_per_weight() == 32.0);
  CHECK(first_difference(hs::view(floats.forward(s.images, {}, hs::plain_product)),
                         hs::view(s.vit.forward(s.images, engine))) == "");
}

TEST_CASE("QuantizedModel refuses specifications with a site missing", "[quantized_model]") {
  const SmallQuantizedModel s;
  CHECK_RAISES(hs::QuantizedVit(s.vit, hs::SiteSpecs(s.vit.sites)), "site \"patch_embed.proj\" has no specification");
}
