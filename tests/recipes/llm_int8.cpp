#include "halfstep/recipes/llm_int8.hpp"

#include <cmath>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/perplexity.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"
#include "support/models.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("llm_int8 gives each layer of the blocks 8-bit weights and split inputs", "[llm_int8]") {
  const hs::Llama model = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::QuantizedLlama quantized = hs::recipes::llm_int8(model, {.input = {.threshold = 3}});
  hs::Index linear = 0;
  model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site.name == "lm_head") return;
    const auto& spec = std::get<hs::LinearSpec>(quantized.specs().at(layer.site));
    CHECK(spec.weight == hs::pack(hs::quantize<hs::Absmax<8>>(layer.weight_view(), {.tiling = hs::per_row()})));
    CHECK(std::get<hs::SplitInput>(spec.input).threshold == 3);
    ++linear;
  });
  CHECK(linear == 14);
  CHECK(std::holds_alternative<hs::FloatSpec>(quantized.specs().at(model.lm_head.site)));
  CHECK_RAISES(hs::recipes::llm_int8(model, {.input = {.threshold = -1}})
                   .forward(random_tokens(1, 3, 23, 731).view(), {}, hs::plain_product),
               "split: threshold is -1");
}

TEST_CASE("llm_int8 gives a sequence the same bytes in any batch, on threads", "[llm_int8]") {
  const hs::Llama model = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(4, 9, 23, 732);
  const hs::QuantizedLlama quantized = hs::recipes::llm_int8(model, {.input = {.threshold = 2}});
  const hs::MatrixF together = quantized.forward(tokens.view(), {}, hs::plain_product);
  hs::ThreadPool pool(3);
  CHECK(first_difference(hs::view(quantized.forward(tokens.view(), pool, hs::plain_product)), hs::view(together)) ==
        "");
  for (hs::Index i = 0; i < 4; ++i) {
    const hs::MatrixF alone = quantized.forward(tokens.view().range(i, 1), {}, hs::plain_product);
    CHECK(first_difference(hs::view(alone), hs::view(together).row_range(9 * i, 9)) == "");
  }
}

// The accuracy specification, sections 5, 9 and 11: on the outlier model thresholds of 6, 12 and 20 give 1.509 at most,
// no threshold at all 1.5357, 40 misses columns.
TEST_CASE("llm_int8 keeps the outlier model", "[llm_int8][slow]") {
  const auto path = find_model("shakespeare_gpt_outlier.safetensors"),
             evaluation = find_model("shakespeare_eval.safetensors");
  if (!path || !evaluation) return;
  const hs::Llama model = hs::load_llama(*path);
  const hs::Tokens tokens = hs::load_tokens(hs::SafetensorsFile::open(*evaluation), "test.ids");
  hs::ThreadPool pool(2);
  const auto loss = [&](float threshold) {
    const hs::QuantizedLlama quantized = hs::recipes::llm_int8(model, {.input = {.threshold = threshold}});
    hs::IntegerEngine engine(quantized.specs(), pool, hs::eigen_product);
    return hs::evaluate(quantized.model(), tokens.view(), engine).nll();
  };
  for (const float threshold : {6.0f, 12.0f, 20.0f}) {
    CAPTURE(threshold);
    CHECK(loss(threshold) <= 1.509);
  }
  CHECK(loss(0) > 1.52);
}
