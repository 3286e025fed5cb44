#include "halfstep/models/llama.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/models/generate.hpp"
#include "halfstep/models/perplexity.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"
#include "support/models.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A changed checkpoint, loaded.
template <class Change>
hs::Llama load_changed_llama(Change change, const hs::LlamaConfig& options = {}, const LlamaSizes& sizes = {}) {
  LlamaCheckpoint checkpoint(sizes);
  change(checkpoint);
  return checkpoint.load(options);
}

void leave_as_it_is(LlamaCheckpoint&) {}

/// The difference that issue and specification allow between our floats and the stored ones.
constexpr double reference_tolerance = 1e-4;

/// Float hidden states, logits and losses of the first `sequences` test sequences against those of the evaluation file.
void check_against_reference(const std::string& model, const std::string& evaluation, hs::Index sequences) {
  const hs::SafetensorsFile data = hs::SafetensorsFile::open(evaluation);
  const hs::Llama llama = hs::load_llama(model);
  const hs::Tokens tokens = hs::load_tokens(data, "test.ids");
  hs::ThreadPool pool(2);
  hs::FloatEngine engine(hs::eigen_product, {.executor = pool});

  const hs::LoadedMatrix<float> golden = data.matrix("golden.hidden");
  const hs::Index positions = data.tensor("golden.hidden").shape[1];
  hs::Index states = 0;
  const auto compare = [&](hs::Index number, hs::MatrixView<const float> x) {
    const hs::MatrixView<const float> expected = golden.view().row_range(number * positions, positions);
    CHECK(relative_difference(x.row_range(0, positions), PlainMatrix(expected)) <= reference_tolerance);
    ++states;
  };
  const hs::MatrixF logits = llama.forward(tokens.view().range(0, 1), engine, {.hidden = compare});
  CHECK(states * positions == golden.rows);

  const std::vector<std::int32_t> at = data.integers<std::int32_t>("golden.positions");
  const hs::LoadedMatrix<float> expected = data.matrix("golden.logits");
  REQUIRE(static_cast<hs::Index>(at.size()) == expected.rows);
  for (std::size_t i = 0; i < at.size(); ++i) {
    for (hs::Index c = 0; c < expected.cols; ++c) {
      const double difference =
          static_cast<double>(logits(at[i], c)) - static_cast<double>(expected.view()(static_cast<hs::Index>(i), c));
      CHECK(std::fabs(difference) <= reference_tolerance);
    }
  }

  const hs::LoadedMatrix<float> losses = data.matrix("fp32.nll");
  const hs::Index count = std::min(sequences, tokens.count);
  const hs::Likelihood found = hs::evaluate(llama, tokens.view().range(0, count), engine);
  for (std::size_t i = 0; i < found.of_sequence.size(); ++i) {
    CHECK(std::fabs(found.of_sequence[i] - static_cast<double>(losses.values[i])) <= reference_tolerance);
  }
  if (count < tokens.count) return;
  CHECK(std::fabs(found.nll() - std::stod(data.metadata().at("fp32_mean_nll"))) <= reference_tolerance);
}

}  // namespace

TEST_CASE("golden: shakespeare_eval hidden states, logits and losses of shakespeare_gpt", "[llama][golden]") {
  check_against_reference(example_file("shakespeare_gpt.safetensors"), example_file("shakespeare_eval.safetensors"), 8);
}

TEST_CASE("golden: stories260k_eval hidden states, logits, losses and continuation of stories260k", "[llama][golden]") {
  const auto model = find_model("stories260k.safetensors"), evaluation = find_model("stories260k_eval.safetensors");
  if (!model || !evaluation) return;
  check_against_reference(model->string(), evaluation->string(), 8);

  const std::vector<std::int32_t> greedy =
      hs::SafetensorsFile::open(*evaluation).integers<std::int32_t>("golden.greedy");
  hs::FloatEngine engine(hs::eigen_product);
  const std::vector<std::int32_t> found = hs::generate_greedily(hs::load_llama(*model), {greedy.data(), 1},
                                                                static_cast<hs::Index>(greedy.size()) - 1, engine);
  CHECK(std::equal(found.begin(), found.end(), greedy.begin() + 1, greedy.end()));
}

TEST_CASE("all test sequences of the language models have the stored losses", "[llama][slow]") {
  const std::string shakespeare = example_file("shakespeare_eval.safetensors");
  check_against_reference(example_file("shakespeare_gpt.safetensors"), shakespeare, 1000);
  if (const auto model = find_model("shakespeare_gpt_outlier.safetensors")) {
    check_against_reference(model->string(), shakespeare, 1000);
  }
  const auto model = find_model("stories260k.safetensors"), evaluation = find_model("stories260k_eval.safetensors");
  if (model && evaluation) check_against_reference(model->string(), evaluation->string(), 1000);
}

TEST_CASE("load_llama takes any member of the family", "[llama]") {
  const LlamaSizes sizes{.dim = 30,
                         .hidden = 7,
                         .depth = 3,
                         .heads = 5,
                         .kv_heads = 1,
                         .vocabulary = 9,
                         .max_tokens = 5,
                         .rope_base = 500000};
  const hs::Llama llama = LlamaCheckpoint(sizes).load();
  CHECK(llama.dim() == 30);
  CHECK(llama.vocabulary() == 9);
  CHECK(llama.max_tokens() == 5);
  CHECK(llama.blocks.size() == 3);
  CHECK(llama.blocks[2].self_attn.heads() == 5);
  CHECK(llama.blocks[2].self_attn.kv_heads == 1);
  CHECK(llama.blocks[2].self_attn.head_size() == 6);
  CHECK(llama.rope.base() == 500000);
  CHECK(llama.norm.epsilon == 1e-5f);
  CHECK(llama.norm.name == "model.norm");
  CHECK(llama.blocks[0].post_attention_layernorm.name == "model.layers.0.post_attention_layernorm");
  CHECK(llama.sites.size() == 3 * 9 + 1);
  CHECK(llama.sites.at("model.layers.1.self_attn.qk").parts == 5);
  CHECK(llama.sites.at("model.layers.1.mlp.down_proj").weight == hs::Shape{30, 7});
}

TEST_CASE("load_llama takes a head that is the embedding", "[llama]") {
  const hs::Llama tied = load_changed_llama(leave_as_it_is, {}, {.tied = true});
  CHECK(tied.lm_head.weight == tied.embedding);
  CHECK(tied.sites.at("lm_head").weight == hs::Shape{23, 16});
  const auto duplicate = [](LlamaCheckpoint& c) {
    c.tensors["lm_head.weight"] = c.tensors["model.embed_tokens.weight"];
  };
  CHECK(load_changed_llama(duplicate, {}, {.tied = true}).lm_head.weight == tied.embedding);
  const auto differ = [&](LlamaCheckpoint& c) {
    duplicate(c);
    c.tensors["lm_head.weight"].values[3] += 1;
  };
  CHECK_RAISES(load_changed_llama(differ, {}, {.tied = true}),
               "tensor \"lm_head.weight\" differs from \"model.embed_tokens.weight\", and tie_word_embeddings says "
               "that they are one [E_MISMATCH]");
  CHECK_RAISES(load_changed_llama([](LlamaCheckpoint& c) { c.tensors.erase("lm_head.weight"); }),
               "has no tensor \"lm_head.weight\"");
  const auto forget = [](LlamaCheckpoint& c) {
    c.tensors.erase("lm_head.weight");
    c.configure(", \"tie_word_embeddings\": false", "");
  };
  CHECK(load_changed_llama(forget).lm_head.weight == load_changed_llama(forget).embedding);
}

TEST_CASE("load_llama finds out from tensors what the metadata leaves open", "[llama]") {
  const auto forget = [](LlamaCheckpoint& c) { c.metadata.clear(); };
  const hs::Llama llama = load_changed_llama(forget, {.heads = 4, .kv_heads = 2, .epsilon = 1e-6f});
  CHECK(llama.blocks.size() == 2);
  CHECK(llama.dim() == 16);
  CHECK(llama.blocks[0].mlp.gate_proj.out_features() == 20);
  CHECK(llama.max_tokens() == 2048);
  CHECK(llama.rope.base() == 10000);
  CHECK_RAISES(load_changed_llama(forget, {.epsilon = 1e-6f}),
               "no metadata or option gives the number of heads [E_NOT_FOUND]");
  CHECK_RAISES(load_changed_llama(forget, {.heads = 4}), "no metadata or option gives the epsilon of the norms");
  // Without the number of heads of keys every head has its own.
  CHECK_RAISES(load_changed_llama(forget, {.heads = 4, .epsilon = 1e-6f}),
               "tensor \"model.layers.0.self_attn.k_proj.weight\" has shape [8, 16], expected [16, 16]");
}

TEST_CASE("load_llama takes heads whose size is no share of the channels", "[llama]") {
  const auto widen = [](LlamaCheckpoint& c) {
    c.configure("\"vocab_size\"", "\"head_dim\": 6, \"vocab_size\"");
    for (const char* block : {"model.layers.0.self_attn.", "model.layers.1.self_attn."}) {
      c.add(std::string(block) + "q_proj.weight", {24, 16}, 0.3f);
      c.add(std::string(block) + "k_proj.weight", {12, 16}, 0.3f);
      c.add(std::string(block) + "v_proj.weight", {12, 16}, 0.3f);
      c.add(std::string(block) + "o_proj.weight", {16, 24}, 0.3f);
    }
  };
  const hs::Llama llama = load_changed_llama(widen);
  const hs::Tokens tokens = random_tokens(2, 7, 23, 611);
  hs::FloatEngine engine(hs::plain_product);
  CHECK(llama.blocks[0].self_attn.head_size() == 6);
  CHECK(relative_difference(hs::view(llama.forward(tokens.view(), engine)), plain_llama(llama, tokens.view())) <
        float_tolerance);
}

TEST_CASE("load_llama prefers options to metadata", "[llama]") {
  const hs::Llama llama =
      load_changed_llama(leave_as_it_is, {.heads = 2, .kv_heads = 1, .max_tokens = 7, .epsilon = 1e-3f});
  CHECK(llama.blocks[0].self_attn.heads() == 2);
  CHECK(llama.max_tokens() == 7);
  CHECK(llama.blocks[1].input_layernorm.epsilon == 1e-3f);
}

TEST_CASE("load_llama names the tensor, what it found and what it expected", "[llama]") {
  const auto reshape = [](const char* name, std::vector<hs::Index> shape) {
    return [name, shape](LlamaCheckpoint& c) { c.add(name, shape, 1.0f); };
  };
  CHECK_RAISES(load_changed_llama(reshape("model.layers.1.self_attn.q_proj.weight", {16, 15})),
               "tensor \"model.layers.1.self_attn.q_proj.weight\" has shape [16, 15], expected [16, 16] from "
               "num_attention_heads, the size of a head and hidden_size [E_SHAPE]");
  CHECK_RAISES(load_changed_llama(reshape("model.layers.0.self_attn.v_proj.weight", {16, 16})), "expected [8, 16]");
  CHECK_RAISES(load_changed_llama(reshape("model.layers.0.mlp.down_proj.weight", {20, 16})),
               "has shape [20, 16], expected [16, 20] from intermediate_size and hidden_size");
  CHECK_RAISES(load_changed_llama(reshape("model.layers.0.post_attention_layernorm.weight", {17})),
               "tensor \"model.layers.0.post_attention_layernorm.weight\" has shape [17], expected [16] from "
               "hidden_size");
  CHECK_RAISES(load_changed_llama(reshape("model.embed_tokens.weight", {24, 16})),
               "tensor \"model.embed_tokens.weight\" has shape [24, 16], expected [23, 16]");
  CHECK_RAISES(load_changed_llama(reshape("model.embed_tokens.weight", {16})), "has shape [16], expected 2 sizes");
  CHECK_RAISES(load_changed_llama(reshape("lm_head.weight", {16, 23})),
               "expected [23, 16] from vocab_size and hidden_size");
  for (const char* name : {"model.layers.1.mlp.up_proj.weight", "model.layers.0.input_layernorm.weight",
                           "model.norm.weight", "model.embed_tokens.weight"}) {
    CHECK_RAISES(load_changed_llama([&](LlamaCheckpoint& c) { c.tensors.erase(name); }),
                 hs::concat("has no tensor \"", name, "\""));
  }
}

TEST_CASE("load_llama refuses what would change the result", "[llama]") {
  const auto add = [](const char* name) { return [name](LlamaCheckpoint& c) { c.add(name, {16}, 1.0f); }; };
  for (const char* name : {"model.layers.0.self_attn.q_norm.weight", "model.layers.0.self_attn.q_proj.bias",
                           "model.layers.1.pre_feedforward_layernorm.weight", "model.layers.2.input_layernorm.weight",
                           "model.norm.bias", "transformer.wpe.weight"}) {
    CHECK_RAISES(load_changed_llama(add(name)),
                 hs::concat("tensor \"", name, "\" belongs to no layer of a Llama of depth 2 [E_UNSUPPORTED]"));
  }
  // Old checkpoints carry the frequencies of rope_theta.
  CHECK(load_changed_llama(add("model.layers.0.self_attn.rotary_emb.inv_freq")).blocks.size() == 2);
  CHECK_RAISES(load_changed_llama([](LlamaCheckpoint& c) {
                 c.tensors["model.layers.0.mlp.gate_proj.weight"].values[18] = std::numeric_limits<float>::infinity();
               }),
               "tensor \"model.layers.0.mlp.gate_proj.weight\" is not finite: row 1, column 2");
  CHECK_RAISES(load_changed_llama(leave_as_it_is, {.heads = 3, .kv_heads = 3}),
               "hidden_size 16 is no multiple of 3 heads");
  CHECK_RAISES(load_changed_llama(leave_as_it_is, {.heads = 4, .kv_heads = 3}),
               "4 heads cannot share 3 heads of keys and values");
  CHECK_RAISES(load_changed_llama(leave_as_it_is, {.heads = 16, .kv_heads = 8}),
               "heads have 1 channels, expected an even number");
  CHECK_RAISES(load_changed_llama([](LlamaCheckpoint& c) { c.metadata["rope"] = "interleaved"; }),
               "rotates positions as \"interleaved\", only \"rotate_half\" is known [E_UNSUPPORTED]");
  CHECK_RAISES(load_changed_llama([](LlamaCheckpoint& c) { c.metadata["model_type"] = "vit"; }),
               "holds a model of type \"vit\", expected \"llama\"");
}

TEST_CASE("load_llama says which file is missing or broken", "[llama]") {
  const TemporaryDirectory directory;
  CHECK_RAISES(hs::load_llama(directory.file("none.safetensors")), "none.safetensors");
  CHECK_RAISES(hs::load_llama(directory.write("short.safetensors", "abc")), "short.safetensors");
}
