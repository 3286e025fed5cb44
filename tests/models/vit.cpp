#include "halfstep/models/vit.hpp"

#include <limits>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/models/images.hpp"
#include "support/catch.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"
#include "support/temporary_directory.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A changed checkpoint, loaded.
template <class Change>
hs::Vit load_changed_vit(Change change, const hs::VitConfig& options = {}, const VitSizes& sizes = {}) {
  const halfstep_test::TemporaryDirectory directory;
  VitCheckpoint checkpoint(sizes);
  change(checkpoint);
  checkpoint.write(directory.file("vit.safetensors"));
  return hs::load_vit(directory.file("vit.safetensors"), options);
}

void leave(VitCheckpoint&) {}

/// Float logits and hidden states against those of the evaluation file.
void check_against_reference(const std::string& model) {
  const hs::SafetensorsFile data = hs::SafetensorsFile::open(example_file("glyph_eval.safetensors"));
  const hs::Vit vit = hs::load_vit(model);
  const hs::ImageView images = hs::view_images(data, "test.images");
  hs::ThreadPool pool(2);
  hs::FloatEngine engine(hs::eigen_product, {.executor = pool});

  const hs::LoadedMatrix<float> golden = data.matrix("golden.hidden");
  hs::Index states = 0;
  const auto compare = [&](hs::Index number, hs::MatrixView<const float> x) {
    const hs::MatrixView<const float> expected = golden.view().row_range(number * vit.tokens(), vit.tokens());
    REQUIRE(hs::shape_of(x) == hs::shape_of(expected));
    CHECK(relative_difference(x, PlainMatrix(expected)) <= 1e-4);
    ++states;
  };
  static_cast<void>(vit.forward(images.range(0, 1), engine, {.hidden = compare}));
  CHECK(states * vit.tokens() == golden.rows);

  const hs::LoadedMatrix<float> logits = data.matrix("fp32.logits");
  const hs::MatrixF found = vit.forward(images, engine);
  CHECK(relative_difference(hs::view(found), PlainMatrix(logits.view())) <= 1e-4);
}

}  // namespace

TEST_CASE("golden: glyph_eval logits and hidden states of glyph_vit", "[vit][golden]") {
  check_against_reference(example_file("glyph_vit.safetensors"));
}

TEST_CASE("golden: glyph_eval logits and hidden states of glyph_vit_outlier", "[vit][golden]") {
  const auto model = shared_model("glyph_vit_outlier.safetensors");
  if (!model) {
    WARN("glyph_vit_outlier.safetensors is not in HALFSTEP_MODELS_DIR: not checked");
    return;
  }
  check_against_reference(*model);
}

TEST_CASE("load_vit takes any member of the family", "[vit]") {
  const VitSizes tiny{.channels = 1,
                      .height = 6,
                      .width = 6,
                      .patch_height = 2,
                      .patch_width = 2,
                      .dim = 8,
                      .depth = 1,
                      .heads = 1,
                      .hidden = 4,
                      .classes = 1};
  const VitSizes one_patch{.channels = 2,
                           .height = 5,
                           .width = 5,
                           .patch_height = 5,
                           .patch_width = 5,
                           .dim = 30,
                           .depth = 3,
                           .heads = 10,
                           .hidden = 7,
                           .classes = 11};
  for (const VitSizes& sizes : {VitSizes{}, tiny, one_patch}) {
    hs::Vit vit = load_changed_vit(
        [&](VitCheckpoint& c) {
          std::string& config = c.metadata["config"];
          config.replace(config.find("[0.4, 0.5, 0.6]"), 15, "0.5");
        },
        {}, sizes);
    CHECK(vit.tokens() == sizes.tokens());
    CHECK(vit.dim() == sizes.dim);
    CHECK(vit.classes() == sizes.classes);
    CHECK(vit.channels() == sizes.channels);
    CHECK(static_cast<hs::Index>(vit.blocks.size()) == sizes.depth);
    const std::vector<std::uint8_t> pixels = random_pixels(2 * sizes.channels * sizes.height * sizes.width, 211);
    const hs::ImageView images{pixels.data(), 2, sizes.channels, sizes.height, sizes.width};
    hs::FloatEngine engine(hs::plain_product);
    const hs::MatrixF logits = vit.forward(images, engine);
    CHECK(relative_difference(hs::view(logits), plain_vit(vit, images)) < float_tolerance);
  }
}

TEST_CASE("load_vit finds out from tensors what the metadata leaves open", "[vit]") {
  const VitSizes square{.channels = 1, .height = 12, .width = 12, .patch_height = 4, .patch_width = 4};
  const auto forget = [](VitCheckpoint& c) { c.metadata.clear(); };
  const hs::VitConfig options{.heads = 3, .mean = {0.5f}, .deviation = {0.25f}};
  const hs::Vit vit = load_changed_vit(forget, options, square);
  CHECK(vit.image_height == 12);
  CHECK(vit.image_width == 12);
  CHECK(vit.patch_embed.patch_width == 4);
  CHECK(vit.blocks.size() == 2);
  CHECK(vit.blocks[0].mlp.fc1.out_features() == 20);
  CHECK(vit.classes() == 5);
  CHECK(vit.norm.epsilon == 1e-6f);
  CHECK(vit.patch_embed.mean == std::vector<float>{0.5f});

  CHECK_RAISES(load_changed_vit(forget, {.mean = {0.5f}, .deviation = {0.25f}}, square),
               "no metadata or option gives the number of heads [E_NOT_FOUND]");
  CHECK_RAISES(load_changed_vit(forget, {.heads = 3, .deviation = {0.25f}}, square), "gives the mean of pixels");
  CHECK_RAISES(load_changed_vit(forget, {.heads = 3, .mean = {0.5f}}, square), "gives the std of pixels");
  CHECK_RAISES(load_changed_vit(forget, options), "the 8 patches of tensor \"pos_embed\" are no square");
}

TEST_CASE("options go before metadata", "[vit]") {
  const hs::Vit vit = load_changed_vit(leave, {.heads = 2, .epsilon = 1e-3f, .mean = {0.1f, 0.2f, 0.3f}});
  CHECK(vit.blocks[0].attn.heads() == 2);
  CHECK(vit.norm.epsilon == 1e-3f);
  CHECK(vit.patch_embed.mean == std::vector<float>{0.1f, 0.2f, 0.3f});
  CHECK(vit.patch_embed.deviation == std::vector<float>{0.25f, 0.25f, 0.25f});
}

TEST_CASE("load_vit takes layers without bias", "[vit]") {
  const hs::Vit vit = load_changed_vit([](VitCheckpoint& c) { c.tensors.erase("blocks.1.attn.qkv.bias"); });
  CHECK(vit.blocks[1].attn.qkv.bias.empty());
  CHECK(vit.blocks[0].attn.qkv.bias.size() == 36);
}

TEST_CASE("load_vit names the tensor, what it found and what it expected", "[vit]") {
  const auto reshape = [](const char* name, std::vector<hs::Index> shape) {
    return [name, shape](VitCheckpoint& c) { c.add(name, shape, 1.0f); };
  };
  CHECK_RAISES(load_changed_vit(reshape("blocks.1.attn.qkv.weight", {36, 11})),
               "tensor \"blocks.1.attn.qkv.weight\" has shape [36, 11], expected [36, 12]");
  CHECK_RAISES(load_changed_vit(reshape("blocks.0.norm2.bias", {13})),
               "tensor \"blocks.0.norm2.bias\" has shape [13], expected [12] from dim");
  CHECK_RAISES(load_changed_vit(reshape("pos_embed", {1, 10, 12})),
               "tensor \"pos_embed\" has shape [1, 10, 12], expected [1, 9, 12] from image_size, patch_size and dim");
  CHECK_RAISES(load_changed_vit(reshape("patch_embed.proj.weight", {12, 36})), "has shape [12, 36], expected 4 sizes");
  CHECK_RAISES(load_changed_vit(reshape("patch_embed.proj.weight", {12, 2, 4, 3})), "expected [12, 3, 4, 3]");
  CHECK_RAISES(load_changed_vit(reshape("head.weight", {6, 12})),
               "tensor \"head.weight\" has shape [6, 12], expected [5, 12]");
  CHECK_RAISES(load_changed_vit(reshape("blocks.0.mlp.fc2.weight", {12, 21})), "expected [12, 20]");
  CHECK_RAISES(load_changed_vit([](VitCheckpoint& c) { c.tensors.erase("blocks.1.mlp.fc1.weight"); }),
               "has no tensor \"blocks.1.mlp.fc1.weight\"");
  CHECK_RAISES(load_changed_vit([](VitCheckpoint& c) { c.tensors.erase("norm.bias"); }), "has no tensor \"norm.bias\"");
}

TEST_CASE("load_vit refuses what would change the result", "[vit]") {
  CHECK_RAISES(load_changed_vit([](VitCheckpoint& c) { c.add("blocks.0.ls1.gamma", {12}, 1.0f); }),
               "tensor \"blocks.0.ls1.gamma\" belongs to no layer of a vision transformer of depth 2 [E_UNSUPPORTED]");
  CHECK_RAISES(load_changed_vit([](VitCheckpoint& c) { c.add("blocks.2.norm1.weight", {12}, 1.0f); }),
               "tensor \"blocks.2.norm1.weight\" belongs to no layer");
  CHECK_RAISES(load_changed_vit([](VitCheckpoint& c) {
                 c.tensors["blocks.0.mlp.fc1.weight"].values[25] = std::numeric_limits<float>::quiet_NaN();
               }),
               "tensor \"blocks.0.mlp.fc1.weight\" is not finite: row 2, column 1");
  CHECK_RAISES(load_changed_vit(leave, {.heads = 5}), "dim 12 is no multiple of 5 heads");
  CHECK_RAISES(load_changed_vit(leave, {.heads = 0}), "dim 12 is no multiple of 0 heads");
  CHECK_RAISES(load_changed_vit(leave, {.image_size = {8, 13}}),
               "images of 8 x 13 cannot be cut into patches of 4 x 3");
  CHECK_RAISES(load_changed_vit(leave, {.mean = {0.5f, 0.5f}}), "2 values of mean for 3 channels, expected 1 or 3");
}

TEST_CASE("load_vit says which file is missing or broken", "[vit]") {
  const halfstep_test::TemporaryDirectory directory;
  CHECK_RAISES(hs::load_vit(directory.file("none.safetensors")), "none.safetensors");
  CHECK_RAISES(hs::load_vit(directory.write("short.safetensors", "abc")), "short.safetensors");
}
