#include "halfstep/recipes/load_model.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halfstep/calibrators/transform/rotation.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/recipes/nearest.hpp"
#include "halfstep/recipes/nearest_llama.hpp"
#include "halfstep/recipes/save_model.hpp"
#include "io/io_checks.hpp"
#include "io/replaced.hpp"
#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/random_layers.hpp"
#include "support/temporary_directory.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::IoErrorCode;

namespace {

/// A small random model whose sites run in as many different ways as there are, and images for it.
class VariedVit {
 public:
  VariedVit() {
    set("blocks.0.attn.qkv", {pack_of<hs::Uniform<4>>("blocks.0.attn.qkv"), 4, hs::Uniform<8>::fit({-3, 3, 1}),
                              hs::ShiftExponents({0, -1, 2, 0, 0, 1, 0, 0, -3, 0, 0, 1})});
    hs::AttentionSpec per_head{{}, {hs::Uniform<6>::fit({-3, 3, 1})}};
    for (const float end : {2.0f, 3.0f, 4.0f}) per_head.lhs.emplace_back(hs::Uniform<6>::fit({-end, end, 1}));
    specs.set("blocks.0.attn.qk", std::move(per_head));
    specs.set("blocks.0.attn.av",
              hs::AttentionSpec{{hs::LogSqrt2<4, hs::ZeroPolicy::mask>{1.0f}}, {hs::Uniform<4>::fit({-2, 3, 1})}});
    specs.set("blocks.1.attn.av", hs::AttentionSpec{{hs::AdaLog<4>::fit({0, 1, 0.2f})}, {hs::TanQ<6>{}}});
    set("blocks.0.attn.proj", {hs::pack(hs::quantize_blocks<hs::MXFP4>(weight("blocks.0.attn.proj"))), 4,
                               hs::Activation::per_block<hs::MXFP4>()});
    set("blocks.0.mlp.fc1", {pack_of<hs::Uniform<3>>("blocks.0.mlp.fc1", hs::per_group(5)), 3,
                             hs::Activation::per_token<hs::Uniform<8>>(hs::Symmetry::symmetric),
                             hs::AddToChannels{std::vector<float>(12, 0.125f)}});
    set("blocks.0.mlp.fc2", {pack_of<hs::Uniform<8>>("blocks.0.mlp.fc2"), 8, hs::TwinGelu<4>::fit({-0.2f, 3, 1})});
    set("blocks.1.attn.qkv", {pack_of<hs::Uniform<8>>("blocks.1.attn.qkv"), 8, hs::SplitInput{.threshold = 1.5f}});
    set("blocks.1.attn.proj", {pack_of<hs::Fp8E4M3>("blocks.1.attn.proj"), 8, hs::Activation()});
    set("blocks.1.mlp.fc1", {pack_of<hs::LogSqrt2<6>>("blocks.1.mlp.fc1"), 6, hs::Activation::kept_in_float(),
                             hs::RotateInput{hs::hadamard_rotation(12)}});
    const std::vector<std::int32_t> groups{0, 1, 0, 1, 2, 0, 1, 2, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1};
    set("blocks.1.mlp.fc2",
        {pack_of<hs::Uniform<4>>("blocks.1.mlp.fc2", {1, 0, groups}), 4, hs::Activation::per_token<hs::Uniform<8>>()});
    set("patch_embed.proj", {pack_of<hs::Uniform<2>>("patch_embed.proj"), 2, hs::Uniform<8>::fit({-3, 3, 1})});
    specs.set("head", hs::FloatSpec{});
  }

  [[nodiscard]] hs::QuantizedVit model() const { return {vit, specs}; }
  [[nodiscard]] hs::MatrixF logits(const hs::QuantizedVit& of) const {
    return of.forward(images, {}, hs::plain_product);
  }

  std::vector<std::uint8_t> pixels = random_pixels(9 * 3 * 8 * 12, 431);
  hs::ImageView images{pixels.data(), 9, 3, 8, 12};
  hs::Vit vit = VitCheckpoint(VitSizes{}).load();
  hs::SiteSpecs specs = hs::recipes::nearest(vit, images, {.weight_bits = 4, .images = 6}).specs();

 private:
  [[nodiscard]] hs::MatrixView<const float> weight(std::string_view name) const {
    hs::MatrixView<const float> found{};
    vit.for_each_linear([&](const hs::Linear& layer) {
      if (layer.site.name == name) found = layer.weight_view();
    });
    return found;
  }
  template <class Q>
  [[nodiscard]] hs::PackedMatrix pack_of(std::string_view name, hs::Tiling tiling = hs::per_row()) const {
    return hs::pack(hs::quantize<Q>(weight(name), {.tiling = std::move(tiling)}));
  }
  void set(std::string_view name, hs::LinearSpec spec) { specs.set(name, std::move(spec)); }
};

template <class Model>
std::string saved_bytes(const hs::QuantizedModel<Model>& model) {
  const TemporaryDirectory directory;
  hs::save(directory.file("q.safetensors"), model);
  return directory.read("q.safetensors");
}

hs::QuantizedVit loaded_vit(const std::string& bytes) {
  return hs::load_quantized_vit(hs::SafetensorsFile::from_memory(bytes_of(bytes), "q.safetensors"));
}

}  // namespace

TEST_CASE("a quantized model comes back from its file: the same logits and the same file", "[load_model]") {
  const VariedVit s;
  const std::string bytes = saved_bytes(s.model());
  const hs::QuantizedVit back = loaded_vit(bytes);
  CHECK(first_difference(hs::view(s.logits(back)), hs::view(s.logits(s.model()))) == "");
  CHECK(first_difference(hs::view(back.forward_fake_quantized(s.images, hs::plain_product)),
                         hs::view(s.model().forward_fake_quantized(s.images, hs::plain_product))) == "");
  for (const hs::Site& site : s.vit.sites.all()) {
    CAPTURE(site.name);
    const auto* before = std::get_if<hs::LinearSpec>(&s.specs.at(site));
    const auto* after = std::get_if<hs::LinearSpec>(&back.specs().at(site));
    REQUIRE((before == nullptr) == (after == nullptr));
    if (before == nullptr) continue;
    CHECK(after->weight == before->weight);
    CHECK(after->weight_bits == before->weight_bits);
  }
  CHECK(saved_bytes(back) == bytes);
  CHECK(back.bytes() == s.model().bytes());
}

TEST_CASE("a model out of a file has no float weights where it has codes", "[load_model]") {
  const VariedVit s;
  const hs::QuantizedVit back = loaded_vit(saved_bytes(s.model()));
  CHECK(back.model().patch_embed.proj.weight.empty());
  CHECK(back.model().head.weight == s.vit.head.weight);                              // runs in float
  CHECK(back.model().blocks[1].attn.qkv.weight == s.vit.blocks[1].attn.qkv.weight);  // splits outliers
  CHECK(back.model().blocks[0].norm1.weight == s.vit.blocks[0].norm1.weight);
  hs::FloatEngine engine(hs::plain_product);
  CHECK_RAISES(back.model().forward(s.images, engine), "site \"patch_embed.proj\" has no float weight, only codes");
}

TEST_CASE("batches of 1 and of 8 images give the same bytes", "[load_model]") {
  const VariedVit s;
  const hs::QuantizedVit model = s.model();
  hs::ThreadPool pool(3);
  for (const hs::Index batch : {1, 8}) {
    hs::IntegerEngine engine(model.specs(), pool, hs::plain_product);
    CHECK(first_difference(hs::view(model.model().forward(s.images, engine, {.images_at_a_time = batch})),
                           hs::view(s.logits(model))) == "");
  }
}

TEST_CASE("a language model comes back as well", "[load_model]") {
  const SmallLlama s;
  for (const int attention_bits : {0, 8}) {
    const hs::QuantizedLlama model =
        hs::recipes::nearest(s.model, s.tokens.view(), {.weight_bits = 4, .attention_bits = attention_bits});
    const std::string bytes = saved_bytes(model);
    const hs::QuantizedLlama back =
        hs::load_quantized_llama(hs::SafetensorsFile::from_memory(bytes_of(bytes), "q.safetensors"));
    CHECK(first_difference(hs::view(s.logits(back)), hs::view(s.logits(model))) == "");
    CHECK(saved_bytes(back) == bytes);
  }
}

TEST_CASE("a model that no file can hold is refused, and nothing is written", "[load_model]") {
  const VariedVit s;
  const TemporaryDirectory directory;
  const auto refuses = [&](const hs::SiteSpecs& specs, std::string_view part) {
    check_io_error([&] { hs::save(directory.file("q.safetensors"), hs::QuantizedVit(s.vit, specs)); },
                   IoErrorCode::not_representable, {part});
    CHECK(directory.names().empty());
  };
  hs::SiteSpecs specs = s.specs;
  specs.set("blocks.0.attn.qk", hs::AttentionSpec{{hs::LevelTable<3>{}}, {hs::Uniform<4>{}}});
  refuses(specs, "lhs of blocks.0.attn.qk");
  specs = s.specs;
  auto own = std::get<hs::LinearSpec>(specs.at(specs.sites().at("blocks.0.mlp.fc2")));
  own.transform = hs::InputTransform([](hs::MatrixView<const float>, hs::MatrixView<float>) {});
  specs.set("blocks.0.mlp.fc2", own);
  refuses(specs, "blocks.0.mlp.fc2");
  hs::Vit odd = s.vit;
  odd.blocks[1].norm2.epsilon = 1e-3f;
  check_io_error([&] { hs::save(directory.file("q.safetensors"), hs::QuantizedVit(odd, s.specs)); },
                 IoErrorCode::not_representable, {"blocks.1.norm2", "epsilon"});
}

TEST_CASE("a file of a model that says something else is refused", "[load_model]") {
  const std::string file = saved_bytes(VariedVit().model());
  const auto refuses = [&](std::string_view from, std::string_view to, IoErrorCode code, std::string_view part) {
    CAPTURE(from, to);
    check_io_error([&] { static_cast<void>(loaded_vit(replaced(file, from, to))); }, code, {part});
  };
  refuses(R"("halfstep.model":"1")", R"("halfstep.model":"2")", IoErrorCode::version, "expected 1");
  refuses(R"("halfstep.model":"1")", R"("halfstep.modal":"1")", IoErrorCode::not_found, "halfstep.model");
  refuses(R"("halfstep.format":"1")", R"("halfstep.format":"7")", IoErrorCode::version, "expected 1");
  refuses("halfstep.site.blocks.0.attn.av", "halfstep.size.blocks.0.attn.av", IoErrorCode::not_found,
          "\"blocks.0.attn.av\"");
  refuses(R"(kind\":\"attention)", R"(kind\":\"attemtion)", IoErrorCode::unsupported, "attemtion");
  refuses(R"(rule\":\"static)", R"(rule\":\"statik)", IoErrorCode::unsupported, "statik");
  refuses(R"(scheme\":\"log_sqrt2_mask)", R"(scheme\":\"log_sqrt3_mask)", IoErrorCode::unsupported, "log_sqrt3_mask");
  refuses(R"(transform\":\"rotate)", R"(transform\":\"rotaie)", IoErrorCode::unsupported, "rotaie");
  refuses(R"(storage\":\"nibbles)", R"(storage\":\"nibblet)", IoErrorCode::unsupported, "nibblet");
  refuses(R"(mantissa_bits\":3)", R"(mantissa_bits\":2)", IoErrorCode::mismatch, "expected 7 together");
  refuses(R"("packed.blocks.1.mlp.fc2.codes")", R"("packed.blocks.1.mlp.fc3.codes")", IoErrorCode::not_found,
          "blocks.1.mlp.fc2.weight");
  refuses(R"("model_type":"vit")", R"("model_type":"dit")", IoErrorCode::unsupported, "dit");
}

TEST_CASE("a file with bytes changed is refused, or is another model that runs", "[load_model]") {
  const VariedVit s;
  const std::string file = saved_bytes(s.model());
  const hs::Random random(7);
  int refused = 0, runs = 0;
  std::uint64_t position = 0;
  for (int i = 0; i < 400; ++i) {
    std::string changed = file;
    const auto at = static_cast<std::size_t>(random.below(file.size(), position));
    changed[at] = static_cast<char>(random.below(256, position));
    try {
      const hs::QuantizedVit other = loaded_vit(changed);
      static_cast<void>(other.forward(s.images.range(0, 1), {}, hs::plain_product));
      ++runs;
    } catch (const hs::Error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
  CHECK(runs > 0);
  for (std::size_t length = 0; length < file.size(); length += file.size() / 50 + 1) {
    CAPTURE(length);
    CHECK(raised_io_error([&] { static_cast<void>(loaded_vit(file.substr(0, length))); }));
  }
}
