#include "halfstep/recipes/gptq.hpp"

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/dense_product.hpp"
#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::recipes::GptqLlamaOptions;

namespace {

struct SmallGptq {
  hs::Llama model = LlamaCheckpoint(LlamaSizes{}).load();
  hs::Tokens tokens = random_tokens(6, 15, 23, 721);

  [[nodiscard]] hs::QuantizedLlama quantize(GptqLlamaOptions options) const {
    options.float_product = hs::plain_product;
    return hs::recipes::gptq(model, tokens.view(), options);
  }
};

const hs::LinearSpec& spec_of(const hs::QuantizedLlama& quantized, const hs::Linear& layer) {
  return std::get<hs::LinearSpec>(quantized.specs().at(layer.site));
}

double gptq_loss(TrainedLlama& trained, GptqLlamaOptions options) {
  options.float_product = hs::dense_product;
  options.executor = trained.pool;
  return trained.loss(hs::recipes::gptq(trained.model, trained.calibration.view(), options));
}

double nearest_loss(TrainedLlama& trained, int bits) {
  return trained.nearest(trained.model, bits, 8, hs::InputScale::none);
}

}  // namespace

TEST_CASE("each stage is rounded for the inputs that it will meet", "[recipes_gptq]") {
  const SmallGptq s;
  GptqLlamaOptions options{.weight_bits = 3};
  options.rounding.group_size = 8;
  const hs::QuantizedLlama quantized = s.quantize(options);
  // The same inputs from a run over the finished model.
  std::map<std::string, hs::MatrixF> inputs;
  const auto keep = [&](const hs::CalibrationStage& stage) {
    std::vector<hs::LinearSpec> specs;
    for (const hs::Linear* layer : stage.layers) {
      inputs[layer->site.name] = hs::as_eigen(stage.x);
      specs.push_back(spec_of(quantized, *layer));
    }
    return specs;
  };
  static_cast<void>(hs::calibrate_sequentially(s.model, s.tokens.view(), keep, {.float_product = hs::plain_product}));
  int layers = 0;
  s.model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site == s.model.lm_head.site) return;
    CAPTURE(layer.site.name);
    const hs::MatrixF& x = inputs.at(layer.site.name);
    hs::HessianAccumulator h(x.cols());
    for (hs::Index first = 0; first < x.rows(); first += 15) h.add(x.middleRows(first, 15));
    const auto expected = hs::gptq<hs::Uniform<3>>(layer.weight_view(), h, options.rounding);
    CHECK(spec_of(quantized, layer).weight == hs::pack(expected.matrix));
    CHECK(spec_of(quantized, layer).weight_bits == 3);
    CHECK(std::get<hs::Activation>(spec_of(quantized, layer).input).keeps_floats());
    ++layers;
  });
  CHECK(layers == 2 * 7);
}

TEST_CASE("a float path gives each stage the float model's inputs as well", "[recipes_gptq]") {
  const SmallGptq s;
  std::map<std::string, hs::InputDifference> seen;
  const hs::WeightRounder look = [&](hs::MatrixView<const float> weight, const hs::HessianAccumulator& h,
                                     const hs::GptqOptions& options) {
    REQUIRE(options.float_path != nullptr);
    CHECK(options.float_path->channels() == weight.cols);
    CHECK(h.tokens() == 6 * 15);
    CHECK(h.sequences() == 6);
    return hs::pack_gptq<hs::Uniform<4>>(weight, h, options);
  };
  GptqLlamaOptions options{.float_path = hs::FloatPath::kept, .float_product = hs::plain_product};
  options.rounding.alpha = 0.25;
  const auto keep_floats = [](const hs::Range&) { return hs::InputRule(hs::Activation::kept_in_float()); };
  const hs::QuantizedLlama quantized = hs::recipes::gptq_with(s.model, s.tokens.view(), options, look, keep_floats);
  const hs::QuantizedLlama same = s.quantize(options);
  s.model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site == s.model.lm_head.site) return;
    CHECK(spec_of(quantized, layer).weight == spec_of(same, layer).weight);
  });
}

TEST_CASE("threads do not show in the recipe, and widths are checked", "[recipes_gptq]") {
  const SmallGptq s;
  hs::ThreadPool pool(3);
  GptqLlamaOptions options{.weight_bits = 4, .activation_bits = 6, .input_scale = hs::InputScale::tensor};
  const hs::QuantizedLlama one = s.quantize(options);
  options.executor = pool;
  const hs::QuantizedLlama three = s.quantize(options);
  s.model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site == s.model.lm_head.site) return;
    CHECK(spec_of(one, layer).weight == spec_of(three, layer).weight);
    CHECK(std::get<hs::Activation>(spec_of(one, layer).input).bits() == 6);
    CHECK_FALSE(std::get<hs::Activation>(spec_of(one, layer).input).is_dynamic());
  });
  CHECK_RAISES(s.quantize({.weight_bits = 9}), "bits is 9, expected 2 to 8");
  CHECK_RAISES(s.quantize({.activation_bits = 1, .input_scale = hs::InputScale::token}),
               "gptq: activation_bits is 1, expected 2 to 8");
  CHECK_RAISES(hs::recipes::gptq(s.model, {}), "calibration has no tokens");
}

TEST_CASE("a GPTQ recipe that is cancelled has the stages that were done", "[recipes_gptq]") {
  const SmallGptq s;
  const hs::QuantizedLlama whole = s.quantize({.weight_bits = 3});
  CHECK(whole.is_complete());
  // In the middle of the fourth stage: its layer is dropped, not left half rounded.
  int inside = 0;
  const auto stop = [&](const hs::Progress& p) { return p.done < 3 || ++inside < 3; };
  const hs::QuantizedLlama found = s.quantize({.weight_bits = 3, .progress = stop});
  CHECK(inside == 3);
  CHECK_FALSE(found.is_complete());
  s.model.for_each_linear([&](const hs::Linear& layer) {
    CAPTURE(layer.site.name);
    const bool is_done = layer.site.name.find("layers.0.") != std::string::npos &&
                         layer.site.name.find("down_proj") == std::string::npos;
    CHECK(std::holds_alternative<hs::LinearSpec>(found.specs().at(layer.site)) == is_done);
    if (is_done) CHECK(spec_of(found, layer).weight == spec_of(whole, layer).weight);
  });
}

// Accuracy specification, section 11, "at least", and section 9: GPTQ closes 25, 40 and 65 % of the gap of rounding to
// nearest.
TEST_CASE("stories260k: GPTQ and GPTAQ reach their losses", "[recipes_gptq][slow]") {
  const auto checkpoint = find_model("stories260k.safetensors"), data = find_model("stories260k_eval.safetensors");
  if (!checkpoint || !data) return;
  TrainedLlama stories(checkpoint->string(), data->string());
  constexpr double floats = 1.2751;
  const double w4 = gptq_loss(stories, {.weight_bits = 4}), w3 = gptq_loss(stories, {.weight_bits = 3});
  const double nearest4 = nearest_loss(stories, 4), nearest3 = nearest_loss(stories, 3),
               nearest2 = nearest_loss(stories, 2);
  CAPTURE(w4, w3, nearest4, nearest3);
  CHECK(w4 <= 1.370);
  CHECK(w3 <= 1.84);
  CHECK((nearest4 - w4) >= 0.25 * (nearest4 - floats));
  CHECK((nearest3 - w3) >= 0.40 * (nearest3 - floats));
  GptqLlamaOptions mse{.weight_bits = 3};
  mse.rounding.range = hs::GridRange::mse;
  const double w3_mse = gptq_loss(stories, mse);
  mse.weight_bits = 2;
  const double w2_mse = gptq_loss(stories, mse);
  CAPTURE(w3_mse, w2_mse);
  CHECK(w3_mse <= 1.65);
  CHECK(w2_mse <= 3.65);
  CHECK(gptq_loss(stories, {.weight_bits = 2}) < nearest2);
  GptqLlamaOptions groups = mse;
  groups.weight_bits = 3;
  groups.rounding.group_size = 32;
  CHECK(gptq_loss(stories, groups) <= 1.56);
  mse.float_path = hs::FloatPath::kept;
  mse.rounding.alpha = 0.25;
  const double gptaq2 = gptq_loss(stories, mse);
  mse.weight_bits = 3;
  const double gptaq3 = gptq_loss(stories, mse);
  CAPTURE(gptaq3, gptaq2);
  CHECK(gptaq3 <= 1.61);
  CHECK(gptaq3 < w3_mse);
  CHECK(gptaq2 <= 3.30);
  CHECK(gptaq2 < w2_mse);
}

TEST_CASE("shakespeare_gpt: GPTQ reaches its losses, with outlier channels as well", "[recipes_gptq][slow]") {
  const auto data = find_model("shakespeare_eval.safetensors");
  const auto plain = find_model("shakespeare_gpt.safetensors"),
             outlier = find_model("shakespeare_gpt_outlier.safetensors");
  if (!data || !plain || !outlier) return;
  constexpr double floats = 1.5067;
  const double limits[2][3] = {{1.509, 1.513, 1.550}, {1.511, 1.515, 1.556}};  // at 4, 3 and 2 bits
  for (int model = 0; model < 2; ++model) {
    TrainedLlama shakespeare((model == 0 ? plain : outlier)->string(), data->string());
    for (int bits = 4; bits >= 2; --bits) {
      const double nearest = nearest_loss(shakespeare, bits), found = gptq_loss(shakespeare, {.weight_bits = bits});
      CAPTURE(model, bits, nearest, found);
      CHECK(found <= limits[model][4 - bits]);
      CHECK(nearest - found >= 0.65 * (nearest - floats));
    }
    if (model == 0) {
      GptqLlamaOptions groups{.weight_bits = 2};
      groups.rounding.group_size = 64;
      CHECK(gptq_loss(shakespeare, groups) <= 1.535);
    }
  }
}

// The same section's "aim": the best recipe of a size, with range search, GPTAQ's sweep, coordinate descent and the
// float path as the target. (2 bits in groups of 64 on shakespeare_gpt are not here: builds with other compiler flags
// ended at 1.512 and at 1.517, and the aim is 1.515.)
TEST_CASE("GPTQ with all searches reaches the best losses", "[recipes_gptq][slow]") {
  const auto searched = [](int bits, hs::Index group) {
    GptqLlamaOptions options{.weight_bits = bits, .float_path = hs::FloatPath::kept};
    options.rounding.group_size = group;
    options.rounding.range = hs::GridRange::objective;
    options.rounding.descent_sweeps = 3;
    options.rounding.alpha = 0.5;
    return options;
  };
  const char* const models[3][2] = {{"stories260k.safetensors", "stories260k_eval.safetensors"},
                                    {"shakespeare_gpt.safetensors", "shakespeare_eval.safetensors"},
                                    {"shakespeare_gpt_outlier.safetensors", "shakespeare_eval.safetensors"}};
  const double limits[3][3] = {{1.337, 1.57, 2.85}, {1.507, 1.508, 1.520}, {1.507, 1.510, 1.525}};  // 4, 3, 2 bits
  for (int i = 0; i < 3; ++i) {
    const auto model = find_model(models[i][0]), data = find_model(models[i][1]);
    if (!model || !data) continue;
    TrainedLlama trained(model->string(), data->string());
    for (int bits = 4; bits >= 2; --bits) {
      CAPTURE(models[i][0], bits);
      CHECK(gptq_loss(trained, searched(bits, 0)) <= limits[i][4 - bits]);
    }
    if (i == 0) CHECK(gptq_loss(trained, searched(3, 32)) <= 1.50);
  }
}
