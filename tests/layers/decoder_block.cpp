#include "halfstep/layers/decoder_block.hpp"

#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("DecoderBlock agrees with loops in double", "[decoder_block]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const FloatMatrix x = random_matrix(3 * 7, 16, 541, 2.0f);
  FloatMatrix y = x;
  hs::FloatEngine engine(hs::eigen_product);
  hs::RunWorkspace workspace;
  llama.blocks[1].forward(y.view(), 7, llama.rope, engine, workspace);
  const PlainMatrix expected = plain_decoder_block(llama.blocks[1], llama.rope.base(), PlainMatrix(x.view()), 7);
  CHECK(relative_difference(y.view(), expected) < float_tolerance);
}

TEST_CASE("DecoderBlock over a cache gives the bytes of the whole sequence", "[decoder_block]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const FloatMatrix x = random_matrix(9, 16, 542);
  FloatMatrix whole = x, steps = x;
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  llama.blocks[0].forward(whole.view(), 9, llama.rope, engine, workspace);
  hs::KeyValueCache cache = llama.make_cache(9);
  for (hs::Index t = 0; t < 9; ++t) {
    llama.blocks[0].forward(steps.view().row_range(t, 1), cache.extended(0, 1), llama.rope, engine, workspace);
    cache.advance(1);
  }
  CHECK(first_difference(steps.view(), whole.view()) == "");
}

TEST_CASE("a warm DecoderBlock allocates nothing", "[decoder_block]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  FloatMatrix x = random_matrix(2 * 8, 16, 543);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  const auto run = [&] { llama.blocks[0].forward(x.view(), 8, llama.rope, engine, workspace); };
  run();
  CHECK(allocations_of(run) == 0);
}
