#include "halfstep/models/llama_config.hpp"

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;

namespace {

/// What a file without tensors says whose metadata has this config.
hs::LlamaConfig read(const std::string& config) {
  const halfstep_tests::TemporaryDirectory directory;
  hs::write_safetensors(directory.file("c.safetensors"), std::vector<hs::NamedTensor>{},
                        {.metadata = {{"model_type", "llama"}, {"config", config}}});
  return hs::read_llama_config(hs::SafetensorsFile::open(directory.file("c.safetensors")));
}

}  // namespace

TEST_CASE("the config of a language model is read field by field", "[llama_config]") {
  const hs::LlamaConfig config = read(
      R"({"hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5, "num_attention_heads": 8,
          "num_key_value_heads": 4, "head_dim": 6, "vocab_size": 512, "max_position_embeddings": 99,
          "rms_norm_eps": 1e-06, "rope_theta": 500000.5, "tie_word_embeddings": true, "torch_dtype": "float16",
          "rope_scaling": null, "hidden_act": "silu", "attention_bias": false})");
  CHECK(config.dim == 64);
  CHECK(config.hidden == 172);
  CHECK(config.depth == 5);
  CHECK(config.heads == 8);
  CHECK(config.kv_heads == 4);
  CHECK(config.head_size == 6);
  CHECK(config.vocabulary == 512);
  CHECK(config.max_tokens == 99);
  CHECK(config.epsilon == 1e-6f);
  CHECK(config.rope_base == 500000.5);
  CHECK(config.tied == true);

  const hs::LlamaConfig empty = read("{}");
  CHECK(!empty.dim);
  CHECK(!empty.epsilon);
  CHECK(!empty.rope_base);
  CHECK(!empty.tied);
}

TEST_CASE("a config that asks for another computation is refused", "[llama_config]") {
  CHECK_RAISES(read(R"({"hidden_act": "gelu"})"), "metadata \"config\" asks for \"hidden_act\"");
  CHECK_RAISES(read(R"({"attention_bias": true})"), "asks for \"attention_bias\"");
  CHECK_RAISES(read(R"({"mlp_bias": true})"), "asks for \"mlp_bias\"");
  CHECK_RAISES(read(R"({"rope_scaling": {"type": "linear", "factor": 2.0}})"), "asks for \"rope_scaling\"");
  CHECK_RAISES(read(R"({"sliding_window": 4096})"), "asks for \"sliding_window\"");
}

TEST_CASE("a config with fields that cannot be is refused", "[llama_config]") {
  CHECK_RAISES(read(R"({"hidden_size": 0})"), "has 0 in \"hidden_size\", expected an integer of 1 to 2^24");
  CHECK_RAISES(read(R"({"hidden_size": [64, 64]})"), "has a list in \"hidden_size\", expected one integer");
  CHECK_RAISES(read(R"({"num_attention_heads": 2.5})"), "has 2.5 in \"num_attention_heads\"");
  CHECK_RAISES(read(R"({"rms_norm_eps": 0})"), "has 0 in \"rms_norm_eps\", expected positive numbers");
  CHECK_RAISES(read(R"({"rope_theta": -1})"), "has -1 in \"rope_theta\"");
  CHECK_RAISES(read(R"({"tie_word_embeddings": 1})"), "has \"tie_word_embeddings\": 1, expected true or false");
  CHECK_RAISES(read(R"({"hidden_size": 4, "hidden_size": 5})"), "has the key \"hidden_size\" twice");
  CHECK_RAISES(read("[]"), "metadata \"config\" is not a JSON object");
  CHECK_RAISES(read("{"), "metadata \"config\" is not a JSON object");
}
