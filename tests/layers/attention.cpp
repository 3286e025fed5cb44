#include "halfstep/layers/attention.hpp"

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("Attention agrees with loops in double", "[attention]") {
  for (const hs::Index heads : {1, 2, 6}) {
    for (const hs::Index tokens : {1, 3, 17}) {
      hs::SiteList sites;
      const hs::Attention attention = random_attention(sites, "", 12, heads, 141);
      const FloatMatrix x = random_matrix(3 * tokens, 12, 142, 2.0f);
      FloatMatrix y(x.rows, 12);
      hs::FloatEngine engine(hs::eigen_product);
      hs::RunWorkspace workspace;
      attention.forward(x.view(), tokens, y.view(), engine, workspace);
      CAPTURE(heads, tokens);
      CHECK(relative_difference(y.view(), plain_attention(attention, PlainMatrix(x.view()), tokens)) < float_tolerance);
    }
  }
}

TEST_CASE("Attention gives the same bytes on threads", "[attention]") {
  hs::SiteList sites;
  const hs::Attention attention = random_attention(sites, "", 12, 3, 143);
  const FloatMatrix x = random_matrix(4 * 9, 12, 144);
  FloatMatrix serial(x.rows, 12), threaded(x.rows, 12);
  hs::ThreadPool pool(3);
  hs::FloatEngine one(hs::eigen_product), three(hs::eigen_product, {.executor = pool});
  hs::RunWorkspace workspace;
  attention.forward(x.view(), 9, serial.view(), one, workspace);
  attention.forward(x.view(), 9, threaded.view(), three, workspace);
  CHECK(first_difference(threaded.view(), serial.view()) == "");
}
