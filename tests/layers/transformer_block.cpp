#include "halfstep/layers/transformer_block.hpp"

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("a block agrees with loops in double", "[transformer_block]") {
  hs::SiteList sites;
  const hs::TransformerBlock block = random_block(sites, "blocks.0.", 12, 3, 30, 163);
  FloatMatrix x = random_matrix(2 * 7, 12, 164);
  const PlainMatrix expected = plain_block(block, PlainMatrix(x.view()), 7);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  block.forward(x.view(), 7, engine, workspace);
  CHECK(relative_difference(x.view(), expected) < float_tolerance);
}

TEST_CASE("a warm block allocates nothing", "[transformer_block]") {
  hs::SiteList sites;
  const hs::TransformerBlock block = random_block(sites, "blocks.0.", 12, 3, 30, 165);
  FloatMatrix x = random_matrix(2 * 7, 12, 166);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  const auto run = [&] { block.forward(x.view(), 7, engine, workspace); };
  run();
  CHECK(allocations_of(run) == 0);
}
