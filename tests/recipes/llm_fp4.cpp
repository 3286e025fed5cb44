#include "halfstep/recipes/llm_fp4.hpp"

#include <variant>

#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("layers of LLM-FP4 have 4-bit weights, a static 4-bit input and powers of two before it",
          "[recipes_llm_fp4]") {
  const SmallLlama s;
  const hs::QuantizedLlama quantized = hs::recipes::llm_fp4(
      s.model, s.tokens.view(), {.search = {.rounds = 1}, .tokens = 30, .float_product = hs::plain_product});
  int layers = 0;
  s.model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site == s.model.lm_head.site) return;
    const auto& spec = std::get<hs::LinearSpec>(quantized.specs().at(layer.site));
    CHECK(spec.weight_bits == 4);
    CHECK(spec.weight.storage() == hs::WeightStorage::nibbles);
    const auto& input = std::get<hs::Activation>(spec.input);
    CHECK(input.bits() == 4);
    CHECK_FALSE(input.is_dynamic());
    hs::MatrixF x = hs::MatrixF::Ones(1, layer.in_features()), out = x;
    spec.transform.apply(hs::view(x), hs::mutable_view(out));
    for (hs::Index c = 0; c < out.cols(); ++c) {
      CHECK(hs::simd::mantissa(out(0, c)) == 1.0f);
      CHECK(out(0, c) >= 1.0f);
    }
    ++layers;
  });
  CHECK(layers == 2 * 7);
  CHECK(s.logits(quantized).allFinite());
  CHECK_RAISES(hs::recipes::llm_fp4(s.model, {}), "calibration has no tokens");
}

TEST_CASE("an LLM-FP4 that is cancelled within a stage drops it", "[recipes_llm_fp4]") {
  const SmallLlama s;
  int inside = 0;
  const auto stop = [&](const hs::Progress& p) { return p.done == 0 || ++inside < 4; };
  const hs::QuantizedLlama found = hs::recipes::llm_fp4(
      s.model, s.tokens.view(),
      {.search = {.rounds = 1}, .tokens = 30, .float_product = hs::plain_product, .progress = stop});
  CHECK(inside == 4);
  CHECK_FALSE(found.is_complete());
  int quantized = 0;
  s.model.for_each_linear([&](const hs::Linear& layer) {
    quantized += std::holds_alternative<hs::LinearSpec>(found.specs().at(layer.site)) ? 1 : 0;
  });
  CHECK(quantized == 3);  // q, k, v
}

// Accuracy specification, section 11.
TEST_CASE("LLM-FP4 reaches its loss", "[recipes_llm_fp4][slow]") {
  const char* const models[2][2] = {{"stories260k.safetensors", "stories260k_eval.safetensors"},
                                    {"shakespeare_gpt.safetensors", "shakespeare_eval.safetensors"}};
  const double limits[2] = {1.80, 1.580};
  for (int i = 0; i < 2; ++i) {
    const auto model = find_model(models[i][0]), data = find_model(models[i][1]);
    if (!model || !data) continue;
    TrainedLlama trained(model->string(), data->string());
    CAPTURE(i);
    CHECK(trained.loss(hs::recipes::llm_fp4(trained.model, trained.calibration.view(),
                                            {.float_product = hs::dense_product, .executor = trained.pool})) <=
          limits[i]);
  }
}
