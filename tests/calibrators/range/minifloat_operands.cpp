#include "halfstep/calibrators/range/minifloat_operands.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a weight of minifloats is each row under its bias") {
  const MatrixF w = as_eigen(random_matrix(5, 20, 61).view());
  const MinifloatWeight weight{{3, 2}, {1.5f, 2.25f, -0.5f, 0.0f, 3.0f}};
  ThreadPool pool(2);
  const MatrixF found = decoded_weight<6>(weight, w, pool);
  for (Index r = 0; r < 5; ++r) {
    const auto q = Float<3, 2>::with_exponent_bias(weight.biases[static_cast<std::size_t>(r)]);
    for (Index c = 0; c < 20; ++c) CHECK(found(r, c) == q.decode(q.encode(w(r, c))));
  }
}

TEST_CASE("activations under a common bias are each channel under the bias of its shift") {
  const MatrixF x = as_eigen(random_matrix(30, 4, 62).view());
  const std::vector<std::int32_t> shifts = {0, 1, 3, 2};
  const MinifloatActivation activation{{2, 1}, {-0.7f, shifts}};
  const MatrixF found = decoded_activation<4>(activation, x, {});
  std::vector<float> scratch(4);
  std::vector<double> changes(4);
  const ShiftedMinifloat<Float<2, 1>> shifted(activation.shared);
  for (Index r = 0; r < 30; ++r) {
    shifted.store_changes(x.data() + r * 4, scratch, changes.data());
    for (Index c = 0; c < 4; ++c) {
      const auto k = static_cast<std::size_t>(c);
      // 2^(B - b - k) is exact but for the rounding of 2^-b, which both have.
      Float<2, 1> q = Float<2, 1>::with_exponent_bias(-0.7f);
      q.scale = std::ldexp(q.scale, -shifts[k]);
      CHECK(found(r, c) == q.decode(q.encode(x(r, c))));
      CHECK(changes[k] == Approx(static_cast<double>(found(r, c)) - static_cast<double>(x(r, c))).epsilon(1e-6));
    }
  }
}
