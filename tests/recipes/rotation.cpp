#include "halfstep/recipes/rotation.hpp"

#include <cstdint>
#include <string>
#include <variant>

#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("norms folded into their readers leave gains of 1 and the same logits", "[recipes_rotation]") {
  const SmallLlama s;
  const hs::Llama folded = hs::recipes::with_folded_norms(s.model);
  CHECK(relative_difference(s.float_logits(s.model), s.float_logits(folded)) < 1e-4f);
  for (const hs::DecoderBlock& block : folded.blocks) {
    for (const float gain : block.input_layernorm.weight) CHECK(gain == 1.0f);
    for (const float gain : block.post_attention_layernorm.weight) CHECK(gain == 1.0f);
  }
}

TEST_CASE("a rotated layer holds the rotated weight and rotates its input", "[recipes_rotation]") {
  const SmallLlama s;
  const hs::QuantizedLlama quantized = hs::recipes::rotation(
      s.model, s.tokens.view(),
      {.rotation = {.seed = 5},
       .gptq = {.weight_bits = 8, .input_scale = hs::InputScale::none, .float_product = hs::plain_product}});
  const hs::Llama folded = hs::recipes::with_folded_norms(s.model);
  int layers = 0;
  folded.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site == folded.lm_head.site) return;
    CAPTURE(layer.site.name);
    const auto& spec = std::get<hs::LinearSpec>(quantized.specs().at(layer.site));
    const hs::Rotation r = hs::hadamard_rotation(layer.in_features(), {.seed = 5});
    CHECK(spec.weight == hs::pack_nearest(hs::view(hs::apply(r, layer.weight_view())), 8));
    hs::MatrixF x = hs::MatrixF::Ones(2, layer.in_features()), out = x;
    spec.transform.apply(hs::view(x), hs::mutable_view(out));
    CHECK(out == hs::apply(r, x));
    ++layers;
  });
  CHECK(layers == 2 * 7);
  // 8 bits and floats: the logits are those of the float model but for the rounding of weights.
  CHECK(relative_difference(s.float_logits(s.model), s.logits(quantized)) < 0.05f);
}

TEST_CASE("a rotation that is cancelled has the stages that were done", "[recipes_rotation]") {
  const SmallLlama s;
  for (const auto rounding : {hs::recipes::RotatedRounding::nearest, hs::recipes::RotatedRounding::gptq}) {
    const auto stop = [](const hs::Progress& p) { return p.done < 2; };
    const hs::QuantizedLlama found =
        hs::recipes::rotation(s.model, s.tokens.view(),
                              {.rounding = rounding, .gptq = {.float_product = hs::plain_product, .progress = stop}});
    CHECK_FALSE(found.is_complete());
    int quantized = 0;
    found.model().for_each_linear([&](const hs::Linear& layer) {
      quantized += std::holds_alternative<hs::LinearSpec>(found.specs().at(layer.site)) ? 1 : 0;
    });
    CHECK(quantized == 4);  // q, k, v; o
  }
}

// Accuracy specification, sections 9 and 11.
TEST_CASE("rotation rescues 4-bit inputs, alone and with GPTQ", "[recipes_rotation][slow]") {
  using hs::recipes::RotatedRounding;
  using hs::recipes::RotationLlamaOptions;
  const auto loss = [](TrainedLlama& trained, RotationLlamaOptions options) {
    options.gptq.float_product = hs::dense_product;
    options.gptq.executor = trained.pool;
    return trained.loss(hs::recipes::rotation(trained.model, trained.calibration.view(), options));
  };
  const auto bits = [](int n, RotatedRounding rounding) {
    RotationLlamaOptions options{.rounding = rounding};
    options.gptq.weight_bits = options.gptq.activation_bits = n;
    return options;
  };
  const auto data = find_model("shakespeare_eval.safetensors");
  for (const char* name : {"shakespeare_gpt.safetensors", "shakespeare_gpt_outlier.safetensors"}) {
    const auto model = find_model(name);
    if (!model || !data) continue;
    TrainedLlama trained(model->string(), data->string());
    const double plain = trained.nearest(trained.model, 4, 4, hs::InputScale::token);
    const double rotated = loss(trained, bits(4, RotatedRounding::nearest));
    CAPTURE(name, plain, rotated);
    CHECK(rotated <= 1.530);
    CHECK(plain - rotated >= 0.65 * (plain - 1.5067));
    CHECK(loss(trained, bits(4, RotatedRounding::gptq)) <= 1.522);
    if (std::string(name).find("outlier") != std::string::npos) {
      CHECK(loss(trained, bits(6, RotatedRounding::nearest)) <= 1.511);
      RotationLlamaOptions kept = bits(4, RotatedRounding::nearest);
      kept.gain = hs::recipes::NormGain::kept;  // outlier channels come back behind the rotation: 2.149 against 1.522
      CHECK(loss(trained, kept) > 1.9);
    }
  }
  if (const auto model = find_model("stories260k.safetensors"), tokens = find_model("stories260k_eval.safetensors");
      model && tokens) {
    TrainedLlama stories(model->string(), tokens->string());
    const double plain = stories.nearest(stories.model, 4, 4, hs::InputScale::token);
    const double rotated = loss(stories, bits(4, RotatedRounding::nearest));
    CHECK(rotated <= 1.55);
    CHECK(plain - rotated >= 0.20 * (plain - 1.2751));
    RotationLlamaOptions gptaq = bits(4, RotatedRounding::gptq);
    gptaq.gptq.float_path = hs::FloatPath::kept;
    gptaq.gptq.rounding.alpha = 0.25;
    CHECK(loss(stories, gptaq) <= 1.46);
    // What is drawn moves GPTQ alone by 0.01 and more on this model, which is 64 channels wide: the mean of five.
    double sum = 0;
    for (const std::uint64_t seed : {0, 1, 2, 3, 4}) {
      RotationLlamaOptions options = bits(4, RotatedRounding::gptq);
      options.rotation.seed = seed;
      sum += loss(stories, options);
    }
    CHECK(sum / 5 <= 1.46);
  }
}
