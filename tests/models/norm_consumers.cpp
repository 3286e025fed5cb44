#include "halfstep/models/norm_consumers.hpp"

#include <string>

#include "halfstep/models/vit.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"
#include "support/temporary_directory.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// `norm: consumer consumer, norm: ...`, for LayerNorms with a place for a bias and RMSNorms without.
template <class Model>
std::string norms_of(Model& model, hs::NormKind kind) {
  std::string text;
  model.for_each_norm([&](const hs::NormConsumers& norm) {
    text += std::string(norm.name) + ":";
    for (const hs::Linear* consumer : norm.consumers) text += " " + consumer->site.name;
    text += ", ";
    CHECK(norm.norm.kind == kind);
    CHECK(norm.norm.bias.available() == (kind == hs::NormKind::layer_norm));
    for (const hs::Linear* consumer : norm.consumers) CHECK(consumer->in_features() == norm.norm.channels());
  });
  return text;
}

}  // namespace

TEST_CASE("models list each norm with the layers that read it", "[norm_consumers]") {
  hs::Llama llama = LlamaCheckpoint({.depth = 1}).load();
  CHECK(norms_of(llama, hs::NormKind::rms_norm) ==
        "model.layers.0.input_layernorm: model.layers.0.self_attn.q_proj model.layers.0.self_attn.k_proj "
        "model.layers.0.self_attn.v_proj, model.layers.0.post_attention_layernorm: model.layers.0.mlp.gate_proj "
        "model.layers.0.mlp.up_proj, model.norm: lm_head, ");
  const TemporaryDirectory directory;
  VitCheckpoint({.depth = 1}).write(directory.file("vit.safetensors"));
  hs::Vit vit = hs::load_vit(directory.file("vit.safetensors"));
  CHECK(norms_of(vit, hs::NormKind::layer_norm) ==
        "blocks.0.norm1: blocks.0.attn.qkv, blocks.0.norm2: blocks.0.mlp.fc1, norm: head, ");
}

TEST_CASE("what is done to a norm and its consumers is done to the model", "[norm_consumers]") {
  hs::Llama llama = LlamaCheckpoint({.depth = 1}).load();
  llama.for_each_norm([](const hs::NormConsumers& norm) {
    norm.norm.gain.data[1] *= 2;
    for (hs::Linear* consumer : norm.consumers) consumer->weight[1] = 0.25f;
  });
  CHECK(llama.blocks[0].self_attn.k_proj.weight[1] == 0.25f);
  CHECK(llama.lm_head.weight[1] == 0.25f);
  CHECK(llama.norm.weight[1] == 2 * LlamaCheckpoint({.depth = 1}).load().norm.weight[1]);
}
