#include "halfstep/recipes/block_float.hpp"

#include <variant>

#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::recipes::BlockInputs;

TEMPLATE_TEST_CASE("weights and inputs of a language model become blocks", "[recipes_block_float]", hs::MXFP4,
                   hs::NVFP4) {
  using F = TestType;
  const SmallLlama s;
  for (const BlockInputs inputs : {BlockInputs::floats, BlockInputs::blocks}) {
    const hs::QuantizedLlama quantized =
        hs::recipes::block_float<F>(s.model, s.tokens.view(), {.inputs = inputs, .float_product = hs::plain_product});
    s.model.for_each_linear([&](const hs::Linear& layer) {
      if (layer.site == s.model.lm_head.site) return;
      const auto& spec = std::get<hs::LinearSpec>(quantized.specs().at(layer.site));
      CHECK(spec.weight == hs::pack(hs::quantize_blocks<F>(layer.weight_view())));
      CHECK(std::get<hs::Activation>(spec.input).keeps_floats() == (inputs == BlockInputs::floats));
    });
    CHECK(s.logits(quantized).allFinite());
  }
  CHECK_RAISES(hs::recipes::block_float<hs::NVFP4>(s.model, {}), "calibration has no tokens");
}

// Accuracy specification, section 11; NVFP4 below MXFP4.
TEST_CASE("MXFP4 and NVFP4 reach their losses", "[recipes_block_float][slow]") {
  const char* const models[2][2] = {{"stories260k.safetensors", "stories260k_eval.safetensors"},
                                    {"shakespeare_gpt.safetensors", "shakespeare_eval.safetensors"}};
  const double limits[2][2] = {{1.66, 1.53}, {1.535, 1.520}};
  for (int i = 0; i < 2; ++i) {
    const auto model = find_model(models[i][0]), data = find_model(models[i][1]);
    if (!model || !data) continue;
    TrainedLlama trained(model->string(), data->string());
    const hs::recipes::BlockFloatOptions options{.float_product = hs::dense_product, .executor = trained.pool};
    const double mx = trained.loss(hs::recipes::block_float<hs::MXFP4>(trained.model, {}, options));
    const double nv =
        trained.loss(hs::recipes::block_float<hs::NVFP4>(trained.model, trained.calibration.view(), options));
    CAPTURE(i, mx, nv);
    CHECK(mx <= limits[i][0]);
    CHECK(nv <= limits[i][1]);
    CHECK(nv < mx);
  }
}
