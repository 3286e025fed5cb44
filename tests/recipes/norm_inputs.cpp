#include "halfstep/recipes/norm_inputs.hpp"

#include <string>
#include <vector>

#include "recipes/llama_recipes.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("norms of the blocks are visited with their readers, the last one is not", "[norm_inputs]") {
  SmallLlama s;
  std::string readers;
  hs::for_each_block_norm(s.model, [&](const hs::NormConsumers& norm) {
    for (const hs::Linear* layer : norm.consumers) {
      readers += layer->site.name.substr(layer->site.name.rfind('.') + 1) + " ";
    }
    CHECK(hs::views_of(norm.consumers).size() == norm.consumers.size());
    CHECK(hs::weights_of(norm.consumers).size() == norm.consumers.size());
  });
  const std::string block = "q_proj k_proj v_proj gate_proj up_proj ";
  CHECK(readers == block + block);
}

TEST_CASE("inputs are those of a float run, as many tokens as are asked for", "[norm_inputs]") {
  SmallLlama s;
  const hs::Index site = s.model.blocks[1].mlp.down_proj.site.index;
  hs::MatrixF expected;
  hs::observe_inputs("test", s.model, s.tokens.view(), hs::plain_product,
                     [&](const hs::Site& seen, hs::MatrixView<const float> x) {
                       if (seen.index != site) return;
                       const hs::MatrixF before = expected;
                       expected.resize(before.rows() + x.rows, x.cols);
                       expected << before, hs::as_eigen(x);
                     });
  CHECK(expected.rows() == 6 * 15);
  for (const hs::Index tokens : {0, 1, 70, 1000}) {
    const auto kept = hs::keep_inputs("test", s.model, s.tokens.view(), hs::plain_product, {site}, tokens);
    REQUIRE(kept.size() == 1);
    const hs::Index rows = tokens == 0 || tokens > 90 ? 90 : tokens;
    CHECK(kept.at(site) == expected.topRows(rows));
  }
  const auto channels = hs::observe_channels("test", s.model, s.tokens.view(), hs::plain_product);
  CHECK(channels.size() == 4);
  CHECK_RAISES(hs::observe_channels("test", s.model, {}, hs::plain_product), "test: calibration has no tokens");
}
