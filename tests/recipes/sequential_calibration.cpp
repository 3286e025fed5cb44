#include "halfstep/recipes/sequential_calibration.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/recipes/nearest_llama.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

hs::LinearSpec nearest_spec(const hs::Linear& layer) {
  return {hs::pack_nearest(layer.weight_view(), 4), 4, hs::uniform_per_token(8)};
}

std::vector<hs::LinearSpec> nearest_specs(const hs::CalibrationStage& stage) {
  std::vector<hs::LinearSpec> specs;
  for (const hs::Linear* layer : stage.layers) specs.push_back(nearest_spec(*layer));
  return specs;
}

struct SmallSequentialCalibration {
  hs::Llama model = LlamaCheckpoint(LlamaSizes{}).load();
  hs::Tokens tokens = random_tokens(5, 9, 23, 711);
};

/// Keeps the inputs of linear layers by site, and multiplies as `engine` does.
class InputKeeper final : public hs::Engine {
 public:
  explicit InputKeeper(hs::Engine& engine) : engine_(engine) {}
  void multiply(const hs::LinearProduct& product, hs::Workspace& workspace) override {
    inputs[product.site.name] = hs::as_eigen(product.x);
    engine_.multiply(product, workspace);
  }
  void multiply(const hs::AttentionProduct& product, hs::Workspace& workspace) override {
    engine_.multiply(product, workspace);
  }
  [[nodiscard]] hs::ExecutorRef executor() const override { return engine_.executor(); }

  std::map<std::string, hs::MatrixF> inputs;

 private:
  hs::Engine& engine_;
};

}  // namespace

TEST_CASE("a calibrator sees each stage once, with the inputs that its layers will meet", "[sequential_calibration]") {
  const SmallSequentialCalibration s;
  std::map<std::string, hs::MatrixF> seen, seen_floats;
  std::string order;
  const auto calibrate = [&](const hs::CalibrationStage& stage) {
    CHECK(stage.sequence_length == 9);
    order += hs::concat(stage.block, ":");
    for (const hs::Linear* layer : stage.layers) {
      order += " " + layer->site.name.substr(layer->site.name.rfind('.') + 1);
      CHECK(seen.count(layer->site.name) == 0);
      seen[layer->site.name] = hs::as_eigen(stage.x);
      seen_floats[layer->site.name] = hs::as_eigen(stage.float_x);
    }
    order += ", ";
    return nearest_specs(stage);
  };
  const hs::QuantizedLlama quantized = hs::calibrate_sequentially(
      s.model, s.tokens.view(), calibrate, {.float_path = hs::FloatPath::kept, .float_product = hs::plain_product});
  CHECK(order ==
        "0: q_proj k_proj v_proj, 0: o_proj, 0: gate_proj up_proj, 0: down_proj, "
        "1: q_proj k_proj v_proj, 1: o_proj, 1: gate_proj up_proj, 1: down_proj, ");

  // Runs over the finished model and over the float model have the same inputs, bit by bit.
  hs::IntegerEngine integer(quantized.specs(), {}, hs::plain_product);
  hs::FloatEngine floats(hs::plain_product);
  InputKeeper codes_keeper(integer), floats_keeper(floats);
  static_cast<void>(quantized.model().forward(s.tokens.view(), codes_keeper, {.sequences_at_a_time = 5}));
  static_cast<void>(s.model.forward(s.tokens.view(), floats_keeper, {.sequences_at_a_time = 5}));
  CHECK(seen.size() == 14);
  for (const auto& [name, x] : seen) {
    CAPTURE(name);
    CHECK(first_difference(hs::view(x), hs::view(codes_keeper.inputs.at(name))) == "");
    CHECK(first_difference(hs::view(seen_floats.at(name)), hs::view(floats_keeper.inputs.at(name))) == "");
  }
  CHECK(first_difference(hs::view(seen.at("model.layers.0.self_attn.q_proj")),
                         hs::view(seen_floats.at("model.layers.0.self_attn.q_proj"))) == "");
  CHECK(first_difference(hs::view(seen.at("model.layers.0.self_attn.o_proj")),
                         hs::view(seen_floats.at("model.layers.0.self_attn.o_proj"))) != "");
}

TEST_CASE("a calibrator that does not look at inputs gives what nearest gives", "[sequential_calibration]") {
  const SmallSequentialCalibration s;
  const auto nearest = hs::recipes::nearest(s.model, {}, {.weight_bits = 4});
  const hs::MatrixF expected = nearest.forward(s.tokens.view(), {}, hs::plain_product);
  hs::ThreadPool pool(3);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
    const hs::QuantizedLlama found =
        hs::calibrate_sequentially(s.model, s.tokens.view(), nearest_specs, {.executor = executor});
    CHECK(first_difference(hs::view(found.forward(s.tokens.view(), {}, hs::plain_product)), hs::view(expected)) == "");
    CHECK(found.bytes() == nearest.bytes());
  }
}

TEST_CASE("without a float path there is none", "[sequential_calibration]") {
  const SmallSequentialCalibration s;
  const auto calibrate = [&](const hs::CalibrationStage& stage) {
    CHECK(stage.float_x.data == nullptr);
    return nearest_specs(stage);
  };
  static_cast<void>(hs::calibrate_sequentially(s.model, s.tokens.view(), calibrate));
}

TEST_CASE("progress is told before each stage", "[sequential_calibration]") {
  const SmallSequentialCalibration s;
  std::vector<std::string> told;
  const auto progress = [&](const hs::Progress& p) {
    told.push_back(hs::concat(p.done, "/", p.total, " ", p.next));
    return true;
  };
  static_cast<void>(hs::calibrate_sequentially(s.model, s.tokens.view(), nearest_specs, {.progress = progress}));
  REQUIRE(told.size() == 9);
  CHECK(told[0] == "0/8 model.layers.0.self_attn.q_proj");
  CHECK(told[3] == "3/8 model.layers.0.mlp.down_proj");
  CHECK(told[6] == "6/8 model.layers.1.mlp.gate_proj");
  CHECK(told[8] == "8/8 ");
}

TEST_CASE("a calibration that is cancelled has the stages that were done", "[sequential_calibration]") {
  const SmallSequentialCalibration s;
  const hs::QuantizedLlama whole = hs::calibrate_sequentially(s.model, s.tokens.view(), nearest_specs);
  CHECK(whole.is_complete());
  // Before stages, and from within them, where the calibrator asks once.
  for (const bool is_inside : {false, true}) {
    for (hs::Index last = 0; last <= 8; ++last) {
      CAPTURE(is_inside, last);
      hs::Index calls = 0, stages = 0;
      const auto until = [&](const hs::Progress& p) { return ++calls, p.done < last || (is_inside && calls % 2 == 1); };
      const auto calibrate = [&](const hs::CalibrationStage& stage) {
        ++stages;
        if (is_inside) static_cast<void>(stage.progress({1, 2}));
        return nearest_specs(stage);
      };
      const hs::QuantizedLlama found =
          hs::calibrate_sequentially(s.model, s.tokens.view(), calibrate, {.progress = until});
      CHECK(found.is_complete() == (last == 8));
      CHECK(stages == std::min<hs::Index>(last + (is_inside ? 1 : 0), 8));
      hs::Index stage = 0;
      for (hs::Index b = 0; b < 2; ++b) {
        s.model.for_each_stage(b, [&](const std::vector<const hs::Linear*>& layers) {
          for (const hs::Linear* layer : layers) {
            const hs::SiteSpec& spec = found.specs().at(layer->site);
            CHECK(std::holds_alternative<hs::LinearSpec>(spec) == (stage < last));
            if (stage < last) {
              CHECK(std::get<hs::LinearSpec>(spec).weight ==
                    std::get<hs::LinearSpec>(whole.specs().at(layer->site)).weight);
            }
          }
          ++stage;
        });
      }
      CHECK(found.forward(s.tokens.view(), {}, hs::plain_product).allFinite());
    }
  }
}

TEST_CASE("calibrate_sequentially refuses weights that do not fit and inputs that are not finite",
          "[sequential_calibration]") {
  SmallSequentialCalibration s;
  const auto too_few = [&](const hs::CalibrationStage& stage) {
    return std::vector<hs::LinearSpec>{nearest_spec(*stage.layers[0])};
  };
  CHECK_RAISES(hs::calibrate_sequentially(s.model, s.tokens.view(), too_few),
               "calibrate_sequentially: the calibrator gave 1 weights for the 3 layers of the stage of "
               "model.layers.0.self_attn.q_proj");
  const auto wrong = [&](const hs::CalibrationStage& stage) {
    return std::vector<hs::LinearSpec>(stage.layers.size(), nearest_spec(s.model.blocks[0].mlp.gate_proj));
  };
  CHECK_RAISES(hs::calibrate_sequentially(s.model, s.tokens.view(), wrong), "has shape [20, 16], expected [16, 16]");
  CHECK_RAISES(hs::calibrate_sequentially(s.model, {}, nearest_specs), "calibration has no tokens");
  CHECK_RAISES(hs::calibrate_sequentially(s.model, random_tokens(1, 9, 99, 712).view(), nearest_specs),
               "expected 0 to 22");
  s.model.embedding[static_cast<std::size_t>(s.tokens.ids[2] * 16 + 5)] = 1e30f;
  CHECK_RAISES(hs::calibrate_sequentially(s.model, s.tokens.view(), nearest_specs),
               "calibrate_sequentially: input of model.layers.0.self_attn.q_proj is not finite: row ");
}
