#include "halfstep/recipes/outlier_suppression_plus.hpp"

#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("a model whose outliers are suppressed computes what it did", "[recipes_osplus]") {
  const SmallLlama s;
  const hs::Llama changed = hs::recipes::outliers_suppressed(
                                s.model, s.tokens.view(), {.bits = 6, .tokens = 40, .float_product = hs::plain_product})
                                .model;
  CHECK(relative_difference(s.float_logits(s.model), s.float_logits(changed)) < 1e-4f);
  CHECK(changed.norm.weight == s.model.norm.weight);
  CHECK_RAISES(hs::recipes::outliers_suppressed(s.model, s.tokens.view(), {.input_scale = hs::InputScale::none}),
               "input_scale is none, expected tensor or token");
  CHECK_RAISES(hs::recipes::outliers_suppressed(s.model, {}), "calibration has no tokens");
  CHECK_RAISES(hs::recipes::outliers_suppressed(s.model, s.tokens.view(), {.bits = 9}), "bits is 9, expected 2 to 8");
}

TEST_CASE("OS+ that is cancelled keeps the norms that it came to", "[recipes_osplus]") {
  const SmallLlama s;
  const auto suppressed = [&](hs::ProgressCallback progress) {
    return hs::recipes::outliers_suppressed(
        s.model, s.tokens.view(), {.bits = 6, .tokens = 40, .float_product = hs::plain_product, .progress = progress});
  };
  const hs::SearchedLlama whole = suppressed([](const hs::Progress& p) { return p.done <= p.total; });
  CHECK(whole.is_complete);
  int calls = 0;  // inside of the second search
  const hs::SearchedLlama cut = suppressed([&](const hs::Progress& p) { return p.done == 0 || ++calls < 3; });
  CHECK(calls == 3);
  CHECK_FALSE(cut.is_complete);
  const hs::DecoderBlock& block = cut.model.blocks[0];
  CHECK(block.input_layernorm.weight == whole.model.blocks[0].input_layernorm.weight);
  CHECK(block.input_layernorm.weight != s.model.blocks[0].input_layernorm.weight);
  CHECK(block.post_attention_layernorm.weight == s.model.blocks[0].post_attention_layernorm.weight);
  CHECK(cut.model.blocks[1].input_layernorm.weight == s.model.blocks[1].input_layernorm.weight);
}

// Accuracy specification, section 11.
TEST_CASE("OS+ brings the model with outlier channels back", "[recipes_osplus][slow]") {
  const auto checkpoint = find_model("shakespeare_gpt_outlier.safetensors");
  const auto data = find_model("shakespeare_eval.safetensors");
  if (!checkpoint || !data) return;
  TrainedLlama outlier(checkpoint->string(), data->string());
  using Scale = hs::InputScale;
  const auto suppressed = [&](int bits, Scale scale) {
    return hs::recipes::outliers_suppressed(
               outlier.model, outlier.calibration.view(),
               {.bits = bits, .input_scale = scale, .float_product = hs::dense_product, .executor = outlier.pool})
        .model;
  };
  CHECK(outlier.nearest(suppressed(8, Scale::tensor), 8, 8, Scale::tensor) <= 1.520);
  CHECK(outlier.nearest(suppressed(6, Scale::token), 6, 6, Scale::token) <= 1.518);
}
