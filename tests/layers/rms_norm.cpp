#include "halfstep/layers/rms_norm.hpp"

#include "halfstep/kernels/rms_norm.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("RmsNorm normalizes with its gain and epsilon, and offers a norm without a place for a bias", "[rms_norm]") {
  hs::RmsNorm norm{"norm", random_matrix(1, 9, 501, 0.3f, 1.0f).values, 1e-3f};
  const FloatMatrix x = random_matrix(4, 9, 502);
  FloatMatrix y(4, 9), expected(4, 9);
  norm.forward(x.view(), y.view(), {});
  hs::rms_norm(x.view(), norm.weight, 1e-3f, expected.view());
  CHECK(first_difference(y.view(), expected.view()) == "");

  const hs::NormView view = norm.view();
  CHECK(view.kind == hs::NormKind::rms_norm);
  CHECK(view.channels() == 9);
  CHECK(!view.bias.available());
  view.gain.data[3] = 7;
  CHECK(norm.weight[3] == 7);
}
