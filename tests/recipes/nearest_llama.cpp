#include "halfstep/recipes/nearest_llama.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <variant>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/perplexity.hpp"
#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"
#include "support/models.hpp"
#include "support/quantized_block.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::recipes::NearestLlamaOptions;

namespace {

struct SmallNearestLlama {
  hs::Llama model = LlamaCheckpoint(LlamaSizes{}).load();
  hs::Tokens tokens = random_tokens(6, 15, 23, 701);

  [[nodiscard]] hs::QuantizedLlama quantize(const NearestLlamaOptions& options) const {
    return hs::recipes::nearest(model, tokens.view(), options);
  }
  [[nodiscard]] hs::MatrixF forward(const hs::QuantizedLlama& quantized, hs::ExecutorRef executor = {}) const {
    return quantized.forward(tokens.view(), executor, hs::plain_product);
  }
};

/// Root of the mean square of differences.
double rms(const hs::MatrixF& a, const hs::MatrixF& b) {
  return std::sqrt(static_cast<double>((a - b).squaredNorm()) / static_cast<double>(a.size()));
}

/// Weight and input of one setting of the models' README, by its name there.
std::map<std::string, NearestLlamaOptions> baseline_settings() {
  using Scale = hs::InputScale;
  const auto tensor = [](int weight_bits, int bits, int attention_bits) {
    return NearestLlamaOptions{.weight_bits = weight_bits,
                               .weight_tiling = hs::per_tensor(),
                               .weight_symmetry = hs::Symmetry::symmetric,
                               .activation_bits = bits,
                               .input_scale = Scale::tensor,
                               .attention_bits = attention_bits};
  };
  const auto channel = [](int bits) { return NearestLlamaOptions{.weight_bits = bits, .input_scale = Scale::none}; };
  const auto mixed = [](int bits, int attention_bits) {
    return NearestLlamaOptions{
        .weight_bits = 4, .activation_bits = bits, .input_scale = Scale::tensor, .attention_bits = attention_bits};
  };
  return {{"w8a8_tensor", tensor(8, 8, 0)},  {"w8a8_tensor_mm8", tensor(8, 8, 8)}, {"w6a6_tensor_mm6", tensor(6, 6, 6)},
          {"w4_channel", channel(4)},        {"w3_channel", channel(3)},           {"w2_channel", channel(2)},
          {"w4c_a8_tensor", mixed(8, 0)},    {"w4a4_tensor", tensor(4, 4, 0)},     {"w4c_a4_tensor", mixed(4, 0)},
          {"w4c_a4_tensor_mm4", mixed(4, 4)}};
}

/// Models with stored baselines.
struct Stored {
  const char* model;
  const char* evaluation;
  const char* baselines;
};
constexpr Stored stored_models[] = {
    {"shakespeare_gpt.safetensors", "shakespeare_eval.safetensors", "baselines"},
    {"shakespeare_gpt_outlier.safetensors", "shakespeare_eval.safetensors", "outlier_baselines"},
    {"stories260k.safetensors", "stories260k_eval.safetensors", "baselines"}};

}  // namespace

TEST_CASE("nearest quantizes the layers of the blocks, and leaves head and attention float", "[nearest_llama]") {
  const SmallNearestLlama s;
  const hs::QuantizedLlama quantized = s.quantize({.weight_bits = 5, .activation_bits = 6});
  hs::Index linear = 0, floats = 0;
  for (const hs::Site& site : s.model.sites.all()) {
    const hs::SiteSpec& spec = quantized.specs().at(site);
    if (const auto* codes = std::get_if<hs::LinearSpec>(&spec)) {
      ++linear;
      CHECK(codes->weight_bits == 5);
      CHECK(std::get<hs::Activation>(codes->input).bits() == 6);
      CHECK(std::get<hs::Activation>(codes->input).is_dynamic());
    } else {
      ++floats;
      CHECK((site.name == "lm_head" || site.kind == hs::SiteKind::attention));
    }
  }
  CHECK(linear == 2 * 7);
  CHECK(floats == 2 * 2 + 1);
  s.model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site.name == "lm_head") return;
    CHECK(std::get<hs::LinearSpec>(quantized.specs().at(layer.site)).weight ==
          hs::pack_nearest(layer.weight_view(), 5));
  });
}

TEST_CASE("nearest takes static ranges from a float run over all calibration sequences", "[nearest_llama]") {
  const SmallNearestLlama s;
  const hs::QuantizedLlama quantized = s.quantize({.activation_bits = 8,
                                                   .input_scale = hs::InputScale::tensor,
                                                   .attention_bits = 7,
                                                   .float_product = hs::plain_product});
  std::map<std::string, hs::Range> lhs, rhs;
  const auto widen = [](hs::Range& range, hs::MatrixView<const float> x) {
    for (hs::Index r = 0; r < x.rows; ++r) {
      for (hs::Index c = 0; c < x.cols; ++c) {
        range.min = std::min(range.min, x(r, c));
        range.max = std::max(range.max, x(r, c));
      }
    }
  };
  const auto visit = [&](const hs::ProductRecord& record) {
    widen(lhs[record.site.name], record.lhs);
    if (record.site.kind == hs::SiteKind::attention) widen(rhs[record.site.name], record.rhs);
  };
  hs::RecordingEngine recording(hs::plain_product, visit);
  static_cast<void>(s.model.forward(s.tokens.view(), recording));
  for (const hs::Site& site : s.model.sites.all()) {
    CAPTURE(site.name);
    const hs::SiteSpec& spec = quantized.specs().at(site);
    const auto unit = [](const hs::Activation& activation) { return activation.static_scale().unit; };
    if (const auto* linear = std::get_if<hs::LinearSpec>(&spec)) {
      CHECK(unit(std::get<hs::Activation>(linear->input)) == hs::Uniform<8>::fit(lhs[site.name]).scale);
    } else if (const auto* attention = std::get_if<hs::AttentionSpec>(&spec)) {
      CHECK(unit(attention->lhs_of(0)) == hs::Uniform<7>::fit(lhs[site.name]).scale);
      CHECK(unit(attention->rhs_of(0)) == hs::Uniform<7>::fit(rhs[site.name]).scale);
    }
  }
  CHECK(lhs.at("model.layers.0.self_attn.av").max == 1.0f);  // the first token sees itself alone
}

TEST_CASE("nearest needs no calibration where nothing is static", "[nearest_llama]") {
  const SmallNearestLlama s;
  const auto refuse = [](hs::MatrixView<const float>, hs::MatrixView<const float>, hs::MatrixView<float>) {
    FAIL("a calibration run");
  };
  const hs::TokenView none;
  for (const hs::InputScale scale : {hs::InputScale::none, hs::InputScale::token}) {
    CHECK(hs::recipes::nearest(s.model, none, {.input_scale = scale, .float_product = refuse}).bytes() > 0);
  }
  CHECK_RAISES(hs::recipes::nearest(s.model, none, {.input_scale = hs::InputScale::tensor}),
               "nearest: calibration has no tokens, and scales of tensors need them");
  CHECK_RAISES(hs::recipes::nearest(s.model, none, {.attention_bits = 8}), "calibration has no tokens");
  CHECK_RAISES(s.quantize({.weight_bits = 9}), "nearest: weight_bits is 9, expected 2 to 8");
  CHECK_RAISES(s.quantize({.activation_bits = 1}), "nearest: activation_bits is 1, expected 2 to 8");
  CHECK_RAISES(s.quantize({.attention_bits = 1}), "nearest: attention_bits is 1, expected 2 to 8");
}

TEST_CASE("nearest gives the same bytes on threads, and token by token over a cache", "[nearest_llama]") {
  const SmallNearestLlama s;
  for (const int attention_bits : {0, 8}) {
    const hs::QuantizedLlama quantized =
        s.quantize({.weight_tiling = hs::per_group(8), .attention_bits = attention_bits});
    const hs::MatrixF logits = s.forward(quantized);
    hs::ThreadPool pool(3);
    CHECK(first_difference(hs::view(s.forward(quantized, pool)), hs::view(logits)) == "");
    hs::IntegerEngine engine(quantized.specs(), {}, hs::plain_product);
    hs::RunWorkspace workspace;
    hs::KeyValueCache cache = s.model.make_cache(15);
    hs::MatrixF row(1, 23);
    for (hs::Index t = 0; t < 15; ++t) {
      s.model.continue_into({&s.tokens.ids[static_cast<std::size_t>(t)], 1}, cache, engine, workspace,
                            hs::mutable_view(row));
      CAPTURE(attention_bits, t);
      CHECK(first_difference(hs::view(row), hs::view(logits).row_range(t, 1)) == "");
    }
  }
}

TEST_CASE("nearest errs more with fewer bits, and less with groups", "[nearest_llama]") {
  const SmallNearestLlama s;
  hs::FloatEngine engine(hs::plain_product);
  const hs::MatrixF reference = s.model.forward(s.tokens.view(), engine);
  double last = 0;
  for (const int bits : {8, 6, 4, 2}) {
    const double error = rms(s.forward(s.quantize({.weight_bits = bits, .activation_bits = bits})), reference);
    CAPTURE(bits, error, last);
    CHECK(error > last);
    last = error;
  }
  const auto weights_alone = [&](const hs::Tiling& tiling) {
    const NearestLlamaOptions options{.weight_bits = 3, .weight_tiling = tiling, .input_scale = hs::InputScale::none};
    return rms(s.forward(s.quantize(options)), reference);
  };
  CHECK(weights_alone(hs::per_group(4)) < weights_alone(hs::per_row()));
}

TEST_CASE("every product of a quantized Llama agrees with its decoded codes within the bound", "[nearest_llama]") {
  const SmallNearestLlama s;
  for (const hs::InputScale scale : {hs::InputScale::none, hs::InputScale::tensor, hs::InputScale::token}) {
    for (const int attention_bits : {0, 6}) {
      const hs::QuantizedLlama quantized =
          s.quantize({.weight_tiling = hs::per_group(8), .input_scale = scale, .attention_bits = attention_bits});
      PairedEngine engine(quantized.specs(), hs::eigen_product);
      static_cast<void>(quantized.model().forward(s.tokens.view().range(0, 2), engine));
      CAPTURE(static_cast<int>(scale), attention_bits, engine.worst());
      CHECK(engine.products() == 2 * 7 + (attention_bits == 0 ? 0 : 2 * 2 * 2 * 4));
      CHECK(engine.worst() <= 1);
    }
  }
}

// The first 8 of 200 sequences; the paired error of W4 - float over all 200 is 0.0005 to 0.002 (accuracy
// specification, section 0), five times that over 8. W8A8 per token: 1.5074 against 1.5067.
TEST_CASE("shakespeare_gpt: W8A8 and W4 keep the loss on some sequences", "[nearest_llama]") {
  const hs::SafetensorsFile data = hs::SafetensorsFile::open(example_file("shakespeare_eval.safetensors"));
  const hs::Llama model = hs::load_llama(example_file("shakespeare_gpt.safetensors"));
  const hs::Tokens tokens = hs::load_tokens(data, "test.ids");
  const hs::LoadedMatrix<float> losses = data.matrix("fp32.nll");
  double reference = 0;
  for (std::size_t i = 0; i < 8; ++i) reference += static_cast<double>(losses.values[i]) / 8;
  hs::ThreadPool pool(2);
  const auto loss = [&](const NearestLlamaOptions& options) {
    const hs::QuantizedLlama quantized = hs::recipes::nearest(model, {}, options);
    hs::IntegerEngine engine(quantized.specs(), pool, hs::eigen_product);
    return hs::evaluate(quantized.model(), tokens.view().range(0, 8), engine).nll();
  };
  const double eight = loss({.weight_bits = 8}), four = loss({.weight_bits = 4}), two = loss({.weight_bits = 2});
  CAPTURE(reference, eight, four, two);
  CHECK(std::fabs(eight - reference) <= 0.005);
  CHECK(std::fabs(four - reference) <= 0.02);
  CHECK(two - reference > 0.1);  // 1.7106 over all
}

// Accuracy specification, section 11: weights per row, inputs per tensor (static) and per token.
TEST_CASE("rounding to nearest with coded inputs reaches its losses", "[nearest_llama][slow]") {
  using Scale = hs::InputScale;
  const char* const models[2][2] = {{"stories260k.safetensors", "stories260k_eval.safetensors"},
                                    {"shakespeare_gpt.safetensors", "shakespeare_eval.safetensors"}};
  const double limits[2][3] = {{1.292, 1.278, 1.63}, {1.517, 1.509, 1.580}};
  for (int i = 0; i < 2; ++i) {
    const auto model = find_model(models[i][0]), data = find_model(models[i][1]);
    if (!model || !data) continue;
    TrainedLlama trained(model->string(), data->string());
    CAPTURE(i);
    CHECK(trained.nearest(trained.model, 8, 8, Scale::tensor) <= limits[i][0]);
    CHECK(trained.nearest(trained.model, 8, 8, Scale::token) <= limits[i][1]);
    CHECK(trained.nearest(trained.model, 4, 4, Scale::token) <= limits[i][2]);
  }
}

// Baselines that the evaluation files carry. The accuracy specification, section 0: weights alone within 2e-4; with
// quantized activations the losses are chaotic, their spread is 0.002 at 8 bits and 0.005 at 4 (also taken for 6), and
// two programs may be about twice that apart (section 11). Where the model is lost, a loss is any number: there it must
// only stay lost, by more than one nat.
TEST_CASE("the naive baselines of all language models", "[nearest_llama][slow]") {
  for (const Stored& stored : stored_models) {
    const auto model_path = find_model(stored.model), evaluation = find_model(stored.evaluation);
    if (!model_path || !evaluation) continue;
    const hs::SafetensorsFile data = hs::SafetensorsFile::open(*evaluation);
    const hs::Llama model = hs::load_llama(*model_path);
    const hs::Tokens tokens = hs::load_tokens(data, "test.ids"), calibration = hs::load_tokens(data, "calib.ids");
    const auto baselines = nlohmann::json::parse(data.metadata().at(stored.baselines));
    hs::ThreadPool pool(2);
    for (auto& [name, options] : baseline_settings()) {
      options.executor = pool;
      const hs::QuantizedLlama quantized = hs::recipes::nearest(model, calibration.view(), options);
      hs::IntegerEngine engine(quantized.specs(), pool, hs::eigen_product);
      const double found = hs::evaluate(quantized.model(), tokens.view(), engine).nll();
      const double expected = baselines.at(name).get<double>(), floats = baselines.at("fp32").get<double>();
      const double allowed =
          options.input_scale == hs::InputScale::none ? 2e-4 : (options.activation_bits == 8 ? 0.004 : 0.01);
      CAPTURE(stored.model, name, found, expected);
      if (options.input_scale != hs::InputScale::none && expected > floats + 1) {
        CHECK(found > floats + 1);
      } else {
        CHECK(std::fabs(found - expected) <= allowed);
      }
    }
  }
}
