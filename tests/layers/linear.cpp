#include "halfstep/layers/linear.hpp"

#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("Linear computes x w^T + b through its engine", "[linear]") {
  hs::SiteList sites;
  hs::Linear layer = random_linear(sites, "head", 7, 30, 121);
  hs::FloatEngine engine(hs::plain_product);
  hs::Workspace workspace;
  const FloatMatrix x = random_matrix(5, 30, 122);
  FloatMatrix y(5, 7);
  layer.forward(x.view(), 5, y.view(), engine, workspace);
  CHECK(relative_difference(y.view(), plain_linear(layer, PlainMatrix(x.view()))) < float_tolerance);

  layer.bias.clear();
  layer.forward(x.view(), 5, y.view(), engine, workspace, hs::Gelu{});
  PlainMatrix expected = plain_linear(layer, PlainMatrix(x.view()));
  for (double& value : expected.values) value = plain_gelu(value);
  CHECK(relative_difference(y.view(), expected) < float_tolerance);
}

TEST_CASE("the view of a Linear edits it, and creates a missing bias", "[linear]") {
  hs::SiteList sites;
  hs::Linear layer = random_linear(sites, "head", 3, 2, 123);
  layer.bias.clear();
  const hs::LinearView view = layer.view();
  CHECK(hs::shape_of(view.weight) == hs::Shape{3, 2});
  view.weight(2, 1) = 42;
  CHECK(layer.weight[5] == 42.0f);
  CHECK(view.bias.get_or_create("test", 3).size == 3);
  CHECK(layer.bias == std::vector<float>{0, 0, 0});
}
