#include "halfstep/layers/elementwise.hpp"

#include <cstddef>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("add_into adds row by row, strided and on threads", "[elementwise]") {
  FloatMatrix x = random_matrix(3000, 21, 161);
  const FloatMatrix before = x, y = random_matrix(3000, 20, 162);
  hs::ThreadPool pool(3);
  hs::add_into(x.view().col_range(0, 20), y.view(), pool);
  for (hs::Index r = 0; r < 3000; ++r) {
    for (hs::Index c = 0; c < 20; ++c) REQUIRE(x(r, c) == before(r, c) + y(r, c));
    REQUIRE(x(r, 20) == before(r, 20));
  }
}

TEST_CASE("multiply_into multiplies element by element", "[elementwise]") {
  const FloatMatrix x = random_matrix(600, 70, 531), y = random_matrix(600, 70, 532);
  FloatMatrix product = x, threaded = x;
  hs::ThreadPool pool(3);
  hs::multiply_into(product.view(), y.view(), {});
  hs::multiply_into(threaded.view(), y.view(), pool);
  int wrong = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) wrong += product.values[i] == x.values[i] * y.values[i] ? 0 : 1;
  CHECK(wrong == 0);
  CHECK(first_difference(threaded.view(), product.view()) == "");
}
