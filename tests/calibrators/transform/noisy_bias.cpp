#include "halfstep/calibrators/transform/noisy_bias.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The product of noisy activations under `q` against its definition in double.
template <class Q>
void check_product(const Q& q, const FloatMatrix& x, const ShiftScale& t) {
  const FloatMatrix w = random_matrix(7, x.cols, 21), bias = random_matrix(1, 7, 22);
  const auto weight = quantize<Uniform<6>>(w.view(), {.tiling = per_row()});
  const std::vector<float> folded = folded_bias(t, weight, bias.values);
  const MatrixF y = matmul(apply(t, x.view()), pack(weight), {.activation = q, .bias = folded});
  for (Index r = 0; r < x.rows; ++r) {
    for (Index o = 0; o < 7; ++o) {
      double sum = static_cast<double>(bias(0, o)), size = std::fabs(sum);
      for (Index c = 0; c < x.cols; ++c) {
        const float noise = -t.shift[static_cast<std::size_t>(c)];
        const double wq = static_cast<double>(weight.value(o, c));
        const double xq = lower(q).value(q.encode(x(r, c) + noise));
        sum += (xq - static_cast<double>(noise)) * wq;
        size += (std::fabs(xq) + std::fabs(static_cast<double>(noise))) * std::fabs(wq);
      }
      // The product's own bound (numerics, section 3) and one rounding each of the folded bias and its addition.
      CHECK(std::fabs(static_cast<double>(y(r, o)) - sum) <= size * 8 * 0x1p-24);
    }
  }
}

}  // namespace

TEST_CASE("noise leaves a product as it was but for rounding, under any quantizer") {
  const FloatMatrix x = random_matrix(11, 40, 23);
  const Uniform<4> uniform = Uniform<4>::fit({-3, 3, 1});
  check_product(uniform, x, uniform_noise(40, uniform.scale, Random(1)));
  check_product(Uniform<8>{0.03f, 100}, x, uniform_noise(40, 0.03f, Random(2)));
  check_product(Float<2, 1>::fit({-3, 3, 1}), x, uniform_noise(40, 0.5f, Random(3)));
  check_product(Log2<3>::fit({0, 3, 1}), x, uniform_noise(40, 0.25f, Random(4)));
}

TEST_CASE("noise over a step is uniform, and reproducible") {
  const ShiftScale t = uniform_noise(100000, 0.5f, Random(9));
  CHECK(t == uniform_noise(100000, 0.5f, Random(9)));
  CHECK_FALSE(t == uniform_noise(100000, 0.5f, Random(10)));
  CHECK(uniform_noise(10, 0.5f, Random(9)).shift == std::vector<float>(t.shift.begin(), t.shift.begin() + 10));
  double sum = 0, squares = 0;
  for (const float shift : t.shift) {
    REQUIRE(std::fabs(shift) <= 0.25f);
    sum += static_cast<double>(shift);
    squares += static_cast<double>(shift) * static_cast<double>(shift);
  }
  const double variance = 0.25 / 12;
  CHECK(std::fabs(sum / 1e5) <= 5 * std::sqrt(variance / 1e5));
  CHECK(squares / 1e5 == Approx(variance).epsilon(5 * std::sqrt(0.8 / 1e5)));  // kurtosis 1.8
  CHECK_FALSE(uniform_noise(5, 0, Random(9)).has_shift());
}

TEST_CASE("noise makes the mean error of values off the grid that of a step") {
  // All x lie 0.45 steps from the grid: squared error 0.2025 steps without noise, 1/12 with it.
  const Uniform<8> q{1.0f, 128};
  const ShiftScale t = uniform_noise(20000, 1.0f, Random(11));
  double error = 0;
  for (const float shift : t.shift) {
    const double d = static_cast<double>(q.decode(q.encode(3.45f - shift)) + shift) - static_cast<double>(3.45f);
    error += d * d / 20000;
  }
  CHECK(error == Approx(1.0 / 12).epsilon(0.04));  // 5 deviations: sqrt(1/180 / 20000) / (1/12) each
}

TEST_CASE("noisy biases say what is wrong") {
  const auto weight = quantize<Uniform<4>>(random_matrix(3, 5, 24).view());
  CHECK_RAISES(uniform_noise(-1, 1, Random(1)), "uniform_noise: channels is -1, expected at least 0");
  CHECK_RAISES(uniform_noise(4, -1, Random(1)), "step is -1, expected a finite number of at least 0");
  CHECK_RAISES(uniform_noise(4, std::numeric_limits<float>::quiet_NaN(), Random(1)), "step is nan");
  CHECK_RAISES(with_noise(std::vector<float>{0, std::numeric_limits<float>::infinity()}),
               "with_noise: noise of channel 1 is inf");
  CHECK_RAISES(folded_bias(uniform_noise(4, 1, Random(1)), weight, {}),
               "folded_bias: shift of the transform has 4 entries, expected 5");
  CHECK_RAISES(folded_bias(ShiftScale{{}, std::vector<float>(5, 2.0f)}, weight, {}), "the transform scales");
  CHECK_RAISES(folded_bias(uniform_noise(5, 1, Random(1)), weight, std::vector<float>(2)),
               "bias has 2 elements, weight has 3 rows");
}
