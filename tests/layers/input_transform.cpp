#include "halfstep/layers/input_transform.hpp"

#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("InputTransform calls what it was made of, row by row, for any executor", "[input_transform]") {
  std::vector<float> factors{1, -2, 0.5f};
  const auto scale = [factors](hs::MatrixView<const float> x, hs::MatrixView<float> out) {
    for (hs::Index r = 0; r < x.rows; ++r) {
      for (hs::Index c = 0; c < x.cols; ++c) out(r, c) = x(r, c) * factors[static_cast<std::size_t>(c)];
    }
  };
  const hs::InputTransform transform = scale, none;
  const hs::InputTransform copy = transform;
  CHECK(static_cast<bool>(transform));
  CHECK(!none);
  const FloatMatrix x = random_matrix(40000, 3, 551);
  FloatMatrix expected(x.rows, 3), serial = expected, threaded = expected, reversed = expected;
  scale(x.view(), expected.view());
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  transform.apply(x.view(), serial.view());
  copy.apply(x.view(), threaded.view(), pool);
  copy.apply(x.view(), reversed.view(), backwards);
  CHECK(first_difference(serial.view(), expected.view()) == "");
  CHECK(first_difference(threaded.view(), expected.view()) == "");
  CHECK(first_difference(reversed.view(), expected.view()) == "");
}
