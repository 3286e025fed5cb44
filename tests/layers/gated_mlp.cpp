#include "halfstep/layers/gated_mlp.hpp"

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("GatedMlp agrees with loops in double", "[gated_mlp]") {
  const hs::Llama llama = LlamaCheckpoint({.dim = 18, .hidden = 31, .heads = 3, .kv_heads = 3}).load();
  const FloatMatrix x = random_matrix(11, 18, 533, 2.0f);
  FloatMatrix y(11, 18), threaded(11, 18);
  hs::ThreadPool pool(3);
  hs::FloatEngine engine(hs::eigen_product), three(hs::eigen_product, {.executor = pool});
  hs::RunWorkspace workspace;
  llama.blocks[0].mlp.forward(x.view(), 11, y.view(), engine, workspace);
  llama.blocks[0].mlp.forward(x.view(), 11, threaded.view(), three, workspace);
  CHECK(relative_difference(y.view(), plain_gated_mlp(llama.blocks[0].mlp, PlainMatrix(x.view()))) < float_tolerance);
  CHECK(first_difference(threaded.view(), y.view()) == "");
}
