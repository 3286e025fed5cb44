#include "halfstep/calibrators/transform/exponent_shift.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/calibrators/transform/fold.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("biases become whole shifts from the layer's, within reach of the exponent") {
  const ShiftScale t = exponent_shift(std::vector<float>{0.4f, 1.6f, 3.5f, 9, -2}, 0.6f, 2);
  CHECK(t.shift.empty());
  // rne(rho) = 1: 0 is clipped to 1, 2 is 1 above, 4 (a tie, to even) 3 above, 9 is clipped to 4, -2 to 1.
  CHECK(t.scale == std::vector<float>{1, 0.5f, 0.125f, 0.125f, 1});
  CHECK(exponent_shift({}, 0, 3).scale.empty());
}

TEST_CASE("shifts of exponents are exact, in activations and in weights") {
  const FloatMatrix x = random_matrix(20, 6, 1), w = random_matrix(4, 6, 2);
  const ShiftScale t = exponent_shift(std::vector<float>{0, 1, 2, 3, 4, 5}, 0, 3);
  FloatMatrix folded = w;
  fold(t, {LinearView{folded.view(), {}}});
  const MatrixF shifted = apply(t, x.view());
  for (Index r = 0; r < 20; ++r) {
    for (Index c = 0; c < 6; ++c) CHECK(shifted(r, c) == std::ldexp(x(r, c), static_cast<int>(c)));
  }
  for (Index o = 0; o < 4; ++o) {
    for (Index c = 0; c < 6; ++c) CHECK(folded(o, c) == std::ldexp(w(o, c), -static_cast<int>(c)));
  }
}

TEST_CASE("channel maxima give biases, and every channel fits the layer's quantizer") {
  using F = Float<2, 1>;
  const std::vector<float> maxima{6, 1.5f, 0, 0.75f, 5};
  const auto chosen = pre_shift<F>(maxima);
  CHECK(chosen.quantizer.scale == 1);  // the largest magnitude of E2M1 is 6
  CHECK(chosen.transform.scale == std::vector<float>{1, 0.25f, 1, 0.125f, 1});
  for (std::size_t c = 0; c < maxima.size(); ++c) {
    // Rounding a bias to a whole number moves a maximum by at most a root of two.
    CHECK(maxima[c] / chosen.transform.scale[c] <= 6 * 1.4143f);
  }
  const auto idle = pre_shift<F>(std::vector<float>{0, 0});
  CHECK(idle.transform.scale == std::vector<float>{1, 1});
  CHECK(idle.quantizer == F());
  CHECK(pre_shift<F>({}).transform.scale.empty());
}

TEST_CASE("exponent shifts say what is wrong") {
  const std::vector<float> biases{0, std::numeric_limits<float>::quiet_NaN()};
  CHECK_RAISES(exponent_shift(biases, 0, 2), "exponent_shift: bias of channel 1 is nan, expected -100 to 100");
  CHECK_RAISES(exponent_shift({}, 0, 6), "exponent_bits is 6, expected 1 to 5");
  CHECK_RAISES(exponent_shift({}, std::numeric_limits<float>::infinity(), 2), "layer_bias is inf");
  using F = Float<2, 1>;
  CHECK_RAISES(pre_shift<F>(std::vector<float>{1, -2}), "pre_shift: channel_maxima of channel 1 is -2");
  CHECK_RAISES(pre_shift<F>(std::vector<float>{1e30f}), "channel 0 is 1e+30, expected 0 or 2^-60 to 2^60");
}
