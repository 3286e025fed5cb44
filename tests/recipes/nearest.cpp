#include "halfstep/recipes/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/models/vit.hpp"
#include "support/catch.hpp"
#include "support/classification.hpp"
#include "support/float_matrix.hpp"
#include "support/models.hpp"
#include "support/quantized_block.hpp"
#include "support/random_layers.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A small random model and images for it.
struct SmallNearest {
  std::vector<std::uint8_t> pixels = random_pixels(24 * 3 * 8 * 12, 431);
  hs::ImageView images{pixels.data(), 24, 3, 8, 12};
  hs::Vit vit = VitCheckpoint(VitSizes{}).load();

  [[nodiscard]] hs::QuantizedVit quantize(const hs::recipes::NearestOptions& options) const {
    return hs::recipes::nearest(vit, images, options);
  }
  /// The patches of each image that calibrated, in the order of the run: the embedding is the one product of 8 rows.
  [[nodiscard]] std::vector<std::vector<float>> drawn(std::uint64_t seed, hs::Index count) const {
    std::vector<std::vector<float>> patches;
    const auto product = [&](hs::MatrixView<const float> a, hs::MatrixView<const float> b, hs::MatrixView<float> out) {
      if (a.rows == 8) patches.emplace_back(a.data, a.data + a.rows * a.cols);
      hs::plain_product(a, b, out);
    };
    static_cast<void>(quantize({.images = count, .seed = seed, .float_product = product}));
    return patches;
  }
};

/// Least and largest value, and 0.
struct Ends {
  float low = 0, high = 0;
  void add(hs::MatrixView<const float> m) {
    for (hs::Index r = 0; r < m.rows; ++r) {
      for (hs::Index c = 0; c < m.cols; ++c) {
        low = std::min(low, m(r, c));
        high = std::max(high, m(r, c));
      }
    }
  }
};

/// An activation against the formula, `scale = (high - low) / (2^b - 1)`, `zero = rne(-low / scale)`.
void check_activation(const hs::Activation& activation, const Ends& ends, int bits) {
  const float scale = (ends.high - ends.low) / static_cast<float>((1 << bits) - 1);
  CHECK(activation.bits() == bits);
  CHECK(static_cast<double>(activation.static_scale().unit) == Approx(static_cast<double>(scale)).epsilon(1e-6));
  CHECK(activation.static_scale().zero == std::nearbyint(-ends.low / scale));
}

/// The model that comes with the examples, or another with the same test images.
struct Glyph {
  hs::SafetensorsFile data = hs::SafetensorsFile::open(example_file("glyph_eval.safetensors"));
  hs::Vit vit;
  hs::ImageView calibration = hs::view_images(data, "calib.images");
  hs::ImageView test = hs::view_images(data, "test.images");
  std::vector<std::int32_t> labels = data.integers<std::int32_t>("test.labels");
  hs::LoadedMatrix<float> reference = data.matrix("fp32.logits");
  hs::ThreadPool pool{2};

  explicit Glyph(const std::string& model = example_file("glyph_vit.safetensors")) : vit(hs::load_vit(model)) {}

  [[nodiscard]] hs::QuantizedVit quantize(int weight_bits, int activation_bits, std::uint64_t seed = 0) const {
    return hs::recipes::nearest(vit, calibration,
                                {.weight_bits = weight_bits, .activation_bits = activation_bits, .seed = seed});
  }

  struct Score {
    double top1, kl;
  };
  /// Of the first `images` test images on the integer engine; the stored float logits are the reference.
  [[nodiscard]] Score score(const hs::QuantizedVit& quantized, hs::Index images) {
    const hs::MatrixF logits = quantized.forward(test.range(0, images), pool);
    return {top1_percent(hs::view(logits), labels), mean_kl(reference.view().row_range(0, images), hs::view(logits))};
  }
};

}  // namespace

TEST_CASE("nearest takes ranges from a float run over the images, rows of weights by their own", "[nearest]") {
  const SmallNearest s;
  const hs::QuantizedVit quantized = s.quantize({.weight_bits = 5,
                                                 .activation_bits = 6,
                                                 .pixel_bits = 7,
                                                 .images = s.images.count,
                                                 .float_product = hs::plain_product});
  std::map<std::string, Ends> lhs, rhs;
  const auto visit = [&](const hs::ProductRecord& record) {
    lhs[record.site.name].add(record.lhs);
    if (record.site.kind == hs::SiteKind::attention) rhs[record.site.name].add(record.rhs);
  };
  hs::RecordingEngine recording(hs::plain_product, visit);
  static_cast<void>(s.vit.forward(s.images, recording));

  CHECK(quantized.specs().sites().size() == 14);
  for (const hs::Site& site : s.vit.sites.all()) {
    CAPTURE(site.name);
    if (const auto* attention = std::get_if<hs::AttentionSpec>(&quantized.specs().at(site))) {
      REQUIRE(attention->lhs.size() == 1);
      REQUIRE(attention->rhs.size() == 1);
      check_activation(attention->lhs[0], lhs[site.name], 6);
      check_activation(attention->rhs[0], rhs[site.name], 6);
    } else {
      const auto& linear = std::get<hs::LinearSpec>(quantized.specs().at(site));
      CHECK(linear.weight_bits == 5);
      check_activation(std::get<hs::Activation>(linear.input), lhs[site.name], site.name == "patch_embed.proj" ? 7 : 6);
    }
  }
  s.vit.for_each_linear([&](const hs::Linear& layer) {
    CAPTURE(layer.site.name);
    CHECK(std::get<hs::LinearSpec>(quantized.specs().at(layer.site)).weight ==
          hs::pack_nearest(layer.weight_view(), 5));
  });
}

TEST_CASE("nearest draws as many different images as asked for, others for another seed", "[nearest]") {
  const SmallNearest s;
  const auto first = s.drawn(1, 10), again = s.drawn(1, 10), other = s.drawn(2, 10);
  CHECK(first.size() == 10);
  CHECK(std::set<std::vector<float>>(first.begin(), first.end()).size() == 10);
  CHECK(first == again);
  CHECK(std::set<std::vector<float>>(first.begin(), first.end()) !=
        std::set<std::vector<float>>(other.begin(), other.end()));
  CHECK(s.drawn(1, 24).size() == 24);

  const hs::Index images = 10;
  const hs::MatrixF logits = s.quantize({.images = images, .seed = 1}).forward(s.images);
  hs::ThreadPool pool(3);
  CHECK(first_difference(hs::view(s.quantize({.images = images, .seed = 1, .executor = pool}).forward(s.images)),
                         hs::view(logits)) == "");
  CHECK(first_difference(hs::view(s.quantize({.images = images, .seed = 2}).forward(s.images)), hs::view(logits)) !=
        "");
}

TEST_CASE("nearest errs more with fewer bits", "[nearest]") {
  const SmallNearest s;
  hs::FloatEngine engine(hs::plain_product);
  const hs::MatrixF reference = s.vit.forward(s.images, engine);
  double last = 0;
  for (const int bits : {8, 6, 4, 2}) {
    const hs::MatrixF logits =
        s.quantize({.weight_bits = bits, .activation_bits = bits, .images = 24}).forward(s.images);
    const double error = rms_difference(hs::view(logits), hs::view(reference));
    CAPTURE(bits, error, last);
    CHECK(error > last);
    last = error;
  }
}

TEST_CASE("nearest refuses widths and numbers of images that there are not, before it runs anything", "[nearest]") {
  const SmallNearest s;
  const auto refuse = [](hs::MatrixView<const float>, hs::MatrixView<const float>, hs::MatrixView<float>) {
    FAIL("a calibration run");
  };
  const auto quantize = [&](hs::recipes::NearestOptions options) {
    options.float_product = refuse;
    return s.quantize(options);
  };
  CHECK_RAISES(quantize({.weight_bits = 1, .images = 4}), "nearest: weight_bits is 1, expected 2 to 8");
  CHECK_RAISES(quantize({.activation_bits = 9, .images = 4}), "nearest: activation_bits is 9, expected 2 to 8");
  CHECK_RAISES(quantize({.pixel_bits = 0, .images = 4}), "nearest: pixel_bits is 0, expected 2 to 8");
  for (const hs::Index images : {-1, 0, 25}) {
    CHECK_RAISES(quantize({.images = images}),
                 hs::concat("nearest: images is ", images, ", expected 1 to the 24 of calibration"));
  }
  const hs::ImageView narrow{s.pixels.data(), 24, 3, 8, 9};
  CHECK_RAISES(hs::recipes::nearest(s.vit, narrow, {.images = 4}), "images are 3 x 8 x 9, expected 3 x 8 x 12");
}

TEST_CASE("glyph_vit: each integer product agrees with its decoded codes, and none is float", "[nearest]") {
  Glyph glyph;
  for (const int bits : {8, 4}) {
    const hs::QuantizedVit quantized = glyph.quantize(bits, bits);
    PairedEngine engine(quantized.specs(), hs::eigen_product);
    static_cast<void>(quantized.model().forward(glyph.test.range(0, 2), engine));
    CAPTURE(bits, engine.worst());
    CHECK(engine.products() == 2 + 6 * (4 + 2 * 4 * 2));
    CHECK(engine.worst() <= 1);
    CHECK(engine.integer().float_products().empty());
  }
}

// Over a whole run a difference in the last place can move a value across the edge of two codes, which is a rounding
// error like the others: the runs then differ by no more than each of them does from float.
TEST_CASE("glyph_vit: integer logits are closer to fake-quantized ones than to float ones", "[nearest]") {
  Glyph glyph;
  const hs::ImageView images = glyph.test.range(0, 48);
  const hs::MatrixView<const float> reference = glyph.reference.view().row_range(0, 48);
  for (const int bits : {8, 4}) {
    const hs::QuantizedVit quantized = glyph.quantize(bits, bits);
    const hs::MatrixF integer = quantized.forward(images, glyph.pool);
    const hs::MatrixF fake = quantized.forward_fake_quantized(images, hs::eigen_product, glyph.pool);
    const double between = rms_difference(hs::view(integer), hs::view(fake));
    const double quantization = rms_difference(hs::view(fake), reference);
    CAPTURE(bits, between, quantization);
    CHECK(between <= quantization);
    CHECK(quantization > 0);
  }
}

// On 200 images the standard error of a share p is sqrt(p (1 - p) / 200): 1.4 points at the 96.1 % of the float model,
// 2.4 at the 87.2 % that the accuracy specification has for min-max W4A4 (section 1). W8A8: its share is that of the
// float model but for a few images, so 1.5 standard errors below, 94 %. W4A4: 3 below, 80 %, and 2 above, 92 %, where a
// model with a site forgotten in float would be.
TEST_CASE("glyph_vit: accuracy on the first 200 test images", "[nearest]") {
  Glyph glyph;
  const Glyph::Score eight = glyph.score(glyph.quantize(8, 8), 200), four = glyph.score(glyph.quantize(4, 4), 200);
  CAPTURE(eight.top1, eight.kl, four.top1, four.kl);
  CHECK(eight.top1 >= 94);
  CHECK(eight.kl <= 0.02);
  CHECK(four.top1 >= 80);
  CHECK(four.top1 <= 92);
}

TEST_CASE("glyph_vit: bytes are codes of whole tiles of rows, and scale, zero point and sum of each row", "[nearest]") {
  const Glyph glyph;
  hs::Index codes = 0, rows = 0;
  for (const hs::Site& site : glyph.vit.sites.all()) {
    const hs::Index padded = (site.weight.rows + 15) / 16 * 16;
    codes += padded * site.weight.cols;  // every K is a multiple of 4
    rows += padded;
  }
  CHECK(glyph.quantize(8, 8).bytes() == codes + 12 * rows);
  CHECK(glyph.quantize(6, 8).bytes() == codes + 12 * rows);  // a byte each
  CHECK(glyph.quantize(4, 8).bytes() == codes / 2 + 12 * rows);
  CHECK(glyph.quantize(4, 8).bits_per_weight() < 4.6);
}

// The accuracy specification, section 8: any recipe W8A8 94.8 (KL 0.02), min-max W6A6 94.0 (0.02). Section 1 has W4A4
// at 87.2 +- 0.2 and KL 0.233 over three draws of images; it is no goal, so what is tested is that it is neither worse
// nor better: 2 points (four deviations of the draw, 0.5), KL within a factor of 1.5.
TEST_CASE("glyph_vit: accuracy on all test images", "[nearest][slow]") {
  Glyph glyph;
  const Glyph::Score eight = glyph.score(glyph.quantize(8, 8), 1000), six = glyph.score(glyph.quantize(6, 6), 1000),
                     four = glyph.score(glyph.quantize(4, 4), 1000);
  CAPTURE(eight.top1, eight.kl, six.top1, six.kl, four.top1, four.kl);
  CHECK(eight.top1 >= 94.8);
  CHECK(eight.kl <= 0.02);
  CHECK(six.top1 >= 94.0);
  CHECK(six.kl <= 0.02);
  CHECK(std::fabs(four.top1 - 87.2) <= 2);
  CHECK(four.kl >= 0.15);
  CHECK(four.kl <= 0.35);
}

// The control: one range for channels of very different size must fail (section 8 of the accuracy specification).
TEST_CASE("glyph_vit_outlier: min-max per tensor loses the model", "[nearest][slow]") {
  const auto model = find_model("glyph_vit_outlier.safetensors");
  if (!model) return;
  Glyph glyph(model->string());
  for (const int bits : {6, 4}) {
    const Glyph::Score score = glyph.score(glyph.quantize(bits, bits), 1000);
    CAPTURE(bits, score.top1, score.kl);
    CHECK(score.top1 < 10);
    CHECK(score.kl > 1);
  }
}
