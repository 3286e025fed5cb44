#include "halfstep/calibrators/transform/bias_reparameterization.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Codes stay what they were, values lose the constant, and the bias makes up for it.
template <class Q>
void check_reparameterized(const Q& q, float constant, const MatrixF& x) {
  const auto [t, plain] = reparameterize_bias(q, x.cols());
  CHECK(t.shift == std::vector<float>(static_cast<std::size_t>(x.cols()), -constant));
  CHECK(t.scale.empty());
  const MatrixF shifted = apply(t, x);
  for (Index i = 0; i < x.size(); ++i) {
    const auto code = q.encode(x.data()[i]);
    CHECK(plain.encode(shifted.data()[i]) == code);
    CHECK(std::fabs(plain.decode(code) - constant - q.decode(code)) <= 1e-6f);
  }
  const FloatMatrix w = random_matrix(7, x.cols(), 5), bias = random_matrix(1, 7, 6);
  const auto weight = quantize<Uniform<6>>(w.view(), {.tiling = per_row()});
  const PackedMatrix packed = pack(weight);
  const std::vector<float> folded = folded_bias(t, weight, bias.values);
  const MatrixF before = matmul(x, packed, {.activation = q, .bias = bias.values});
  const MatrixF after = matmul(shifted, packed, {.activation = plain, .bias = folded});
  // Both are the same sum of at most x.cols() terms and a bias, each product within the bound of numerics, section 3:
  // 2^-21 of the sum of the terms' sizes, which are below 5 (weights) times 4 (values and constants).
  const float bound = static_cast<float>(x.cols()) * 20 * 2 * 0x1p-21f;
  CHECK((before - after).cwiseAbs().maxCoeff() <= bound);
}

}  // namespace

TEST_CASE("constants of logarithmic quantizers go into the bias") {
  MatrixF x(9, 26);
  const FloatMatrix values = random_matrix(9, 26, 4);
  for (Index i = 0; i < x.size(); ++i) {
    const float v = values.values[static_cast<std::size_t>(i)];
    x.data()[i] = v / (1 + std::exp(-1.702f * v));  // near GELU: at least -0.17
  }
  check_reparameterized(AdaLog<4>{3.2f, gelu_shift, 20}, gelu_shift, x);
  check_reparameterized(AdaLog<6, ZeroPolicy::mask, LogFloor::published>{3.2f, gelu_shift, 30}, gelu_shift, x);
  check_reparameterized(ShiftLog2<4>{0.25f, -4, 2}, 0.25f, x);
}

TEST_CASE("a constant of 0 is nobody's burden, and channels are counted") {
  const auto [t, plain] = reparameterize_bias(AdaLog<4>{1, 0, 17}, 3);
  CHECK_FALSE(t.has_shift());
  CHECK(plain == AdaLog<4>{1, 0, 17});
  CHECK(reparameterize_bias(AdaLog<4>{1, 1, 17}, 0).transform.shift.empty());
  CHECK_RAISES(reparameterize_bias(AdaLog<4>{}, -1), "reparameterize_bias: channels is -1, expected at least 0");
}
