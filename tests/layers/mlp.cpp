#include "halfstep/layers/mlp.hpp"

#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("Mlp agrees with loops in double", "[mlp]") {
  hs::SiteList sites;
  const hs::Mlp mlp = random_mlp(sites, "", 12, 50, 151);
  const FloatMatrix x = random_matrix(10, 12, 152, 2.0f);
  FloatMatrix y(10, 12);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  mlp.forward(x.view(), 5, y.view(), engine, workspace);
  CHECK(relative_difference(y.view(), plain_mlp(mlp, PlainMatrix(x.view()))) < float_tolerance);
}
