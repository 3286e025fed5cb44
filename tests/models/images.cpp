#include "halfstep/models/images.hpp"

#include <string>
#include <vector>

#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/random_layers.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;
using halfstep_tests::random_pixels;

TEST_CASE("view_images reads gray and colour images where they lie", "[images]") {
  const halfstep_test::TemporaryDirectory directory;
  const std::vector<std::uint8_t> gray = random_pixels(4 * 5 * 6, 191), colour = random_pixels(2 * 3 * 4 * 5, 192);
  const std::vector<std::uint8_t> flat(120);
  const std::vector<float> floats(8);
  const std::vector<hs::NamedTensor> tensors{
      hs::named_tensor("gray", std::span<const std::uint8_t>(gray), {4, 5, 6}),
      hs::named_tensor("colour", std::span<const std::uint8_t>(colour), {2, 3, 4, 5}),
      hs::named_tensor("flat", std::span<const std::uint8_t>(flat), {120}),
      hs::named_tensor("floats", std::span<const float>(floats), {2, 2, 2})};
  hs::write_safetensors(directory.file("images.safetensors"), tensors);
  const hs::SafetensorsFile file = hs::SafetensorsFile::open(directory.file("images.safetensors"));

  const hs::ImageView g = hs::view_images(file, "gray"), c = hs::view_images(file, "colour");
  CHECK((g.count == 4 && g.channels == 1 && g.height == 5 && g.width == 6));
  CHECK((c.count == 2 && c.channels == 3 && c.height == 4 && c.width == 5));
  CHECK(std::vector<std::uint8_t>(g.pixels, g.pixels + gray.size()) == gray);
  CHECK(c.range(1, 1).pixels == c.pixels + 60);

  CHECK_RAISES(hs::view_images(file, "flat"), "tensor \"flat\" has shape [120], expected images");
  CHECK_RAISES(hs::view_images(file, "floats"), "[E_TYPE]");
  CHECK_RAISES(hs::view_images(file, "none"), "[E_NOT_FOUND]");
}

TEST_CASE("pick_images copies images in the order asked for", "[images]") {
  const std::vector<std::uint8_t> pixels = random_pixels(5 * 6, 193);
  const hs::ImageView images{pixels.data(), 5, 1, 2, 3};
  const std::vector<hs::Index> positions{3, 0, 3};
  const hs::Images picked = hs::pick_images(images, positions);
  REQUIRE(picked.view().count == 3);
  for (hs::Index i = 0; i < 3; ++i) {
    for (hs::Index p = 0; p < 6; ++p) {
      CHECK(picked.view().range(i, 1).pixels[p] == images.range(positions[static_cast<std::size_t>(i)], 1).pixels[p]);
    }
  }
  CHECK(hs::pick_images(images, {}).view().count == 0);
  const std::vector<hs::Index> beyond{0, 5};
  CHECK_RAISES(hs::pick_images(images, beyond), "pick_images: position 5 is not among the 5 images");
}

TEST_CASE("draw_images draws without replacement, as the seed has it", "[images]") {
  const std::vector<std::uint8_t> pixels = random_pixels(7 * 6, 194);
  const hs::ImageView images{pixels.data(), 7, 1, 2, 3};
  for (const std::uint64_t seed : {0, 3}) {
    const auto positions = hs::Random(seed).sample_without_replacement(7, 4);
    CHECK(hs::draw_images(images, 4, seed).pixels == hs::pick_images(images, positions).pixels);
  }
  CHECK_RAISES(hs::draw_images(images, 8, 0), "count is 8, expected 0 to the population of 7");
}
