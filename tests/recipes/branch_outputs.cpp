#include "halfstep/recipes/branch_outputs.hpp"

#include <map>
#include <string>
#include <vector>

#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("branches make of given products what the model makes of them", "[branch_outputs]") {
  SmallLlama s;
  hs::DecoderBlock& block = s.model.blocks[0];
  block.self_attn.k_proj.bias.assign(static_cast<std::size_t>(block.self_attn.k_proj.out_features()), 0.25f);
  block.mlp.gate_proj.bias.assign(static_cast<std::size_t>(block.mlp.gate_proj.out_features()), -0.5f);
  std::map<hs::Index, hs::MatrixF> inputs;
  const auto keep = [&](const hs::ProductRecord& seen) {
    if (seen.site.kind == hs::SiteKind::linear) inputs[seen.site.index] = hs::as_eigen(seen.lhs);
  };
  hs::RecordingEngine engine(hs::plain_product, keep);
  static_cast<void>(s.model.forward(s.tokens.view(), engine, {.sequences_at_a_time = 6}));

  const auto product = [&](const hs::Linear& layer) {
    const hs::MatrixF& x = inputs.at(layer.site.index);
    hs::MatrixF out(x.rows(), layer.out_features());
    hs::plain_product(hs::view(x), layer.weight_view(), hs::mutable_view(out));
    return out;
  };
  const hs::CausalAttention& a = block.self_attn;
  const hs::MatrixF context = hs::attention_of({product(a.q_proj), product(a.k_proj), product(a.v_proj)}, a, 15,
                                               s.model.rope, hs::plain_product, {});
  CHECK(first_difference(hs::view(context), hs::view(inputs.at(a.o_proj.site.index))) == "");
  const hs::MatrixF gated = hs::gate_of({product(block.mlp.gate_proj), product(block.mlp.up_proj)}, block.mlp, {});
  CHECK(first_difference(hs::view(gated), hs::view(inputs.at(block.mlp.down_proj.site.index))) == "");
}
