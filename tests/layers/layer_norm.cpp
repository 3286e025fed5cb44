#include "halfstep/layers/layer_norm.hpp"

#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("LayerNorm normalizes with its parameters", "[layer_norm]") {
  const hs::LayerNorm norm = random_norm("norm", 33, 131);
  const FloatMatrix x = random_matrix(6, 33, 132, 2.0f, 1.0f);
  FloatMatrix y(6, 33);
  norm.forward(x.view(), y.view(), {});
  CHECK(relative_difference(y.view(), plain_norm(norm, PlainMatrix(x.view()))) < float_tolerance);
}

TEST_CASE("the view of a LayerNorm edits it", "[layer_norm]") {
  hs::LayerNorm norm = random_norm("norm", 4, 133);
  const hs::NormView view = norm.view();
  CHECK(view.kind == hs::NormKind::layer_norm);
  CHECK(view.channels() == 4);
  view.gain.data[1] = 7;
  view.bias.get().data[3] = 8;
  CHECK(norm.weight[1] == 7.0f);
  CHECK(norm.bias[3] == 8.0f);
}
