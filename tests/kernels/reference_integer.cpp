// The references by numbers that a reader can check by hand.

#include "halfstep/kernels/reference_integer.hpp"

#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;
using Row = std::vector<std::int64_t>;

TEST_CASE("a shift exponential by hand", "[reference_integer]") {
  // x0 = -10, n = 15. x = 0: (20 << 15) >> 1. x = -7: p = -7 - 4 + 1 = -10, q = 1, r = 0. x = -1: p = -1 - 1 + 1 = -1.
  CHECK(hs::reference_shift_exp(0, -10, 15) == 20 << 14);
  CHECK(hs::reference_shift_exp(-7, -10, 15) == 20 << 13);
  CHECK(hs::reference_shift_exp(-1, -10, 15) == 19 << 14);
  CHECK(hs::reference_shift_exp(-100000, -10, 15) == 10);
  // Above 0: x = 7: p = 7 + 3 - 0 = 10, q = -1, r = 0.
  CHECK(hs::reference_shift_exp(7, -10, 15) == 20 << 15);
  CHECK(hs::reference_shift_exp(100000, -10, 15) == 2147483647);
}

TEST_CASE("a softmax of integers by hand", "[reference_integer]") {
  CHECK(hs::reference_shiftmax(Row{5}, 0.1f, 8) == Row{127});
  CHECK(hs::reference_shiftmax(Row{5, 5}, 0.1f, 8) == Row{63, 63});   // half of 2^31 - 1, cut
  CHECK(hs::reference_shiftmax(Row{-7, 0}, 0.1f, 8) == Row{42, 85});  // 20 << 13 and 20 << 14 of their sum
  CHECK(hs::reference_shiftmax(Row{}, 0.1f, 8).empty());
}

TEST_CASE("log codes by hand", "[reference_integer]") {
  CHECK(hs::reference_log_int_softmax(Row{9}, 0.1f, 15) == Row{0});
  CHECK(hs::reference_log_int_softmax(Row{9, 9}, 0.1f, 15) == Row{1, 1});
  CHECK(hs::reference_log_int_softmax(Row{9, 9, 9}, 0.1f, 15) == Row{2, 2, 2});  // 3 is 1.5 * 2: up
  CHECK(hs::reference_log_int_softmax(Row{9, 9, 9, 9, 9}, 0.1f, 15) == Row{2, 2, 2, 2, 2});
  CHECK(hs::reference_log_int_softmax(Row{0, -100000}, 0.1f, 15) == Row{0, 15});
  CHECK(hs::reference_log_int_softmax(Row{0, 0}, 2.0f, 15) == Row{15, 15});  // c is 0: no power at all
}

TEST_CASE("a sigmoid by hand", "[reference_integer]") {
  CHECK(hs::reference_shift_sigmoid(Row{0}, 0.1f, 8) == Row{63});  // both powers are the same
  // Step 0.1702: x0 = -6, the largest 4: its power is 12 << 22, that of 0 is p = -4 - 2 + 1 = -5, r = -5: 7 << 22.
  // (2^31 - 1) / (19 << 22) is 26, (2^31 - 1) / (14 << 22) is 36: both are cut.
  CHECK(hs::reference_shift_sigmoid(Row{4, 0}, 0.1f, 8) == Row{78, 63});
}

TEST_CASE("a LayerNorm of integers by hand", "[reference_integer]") {
  CHECK(hs::reference_integer_layer_norm(Row{3, 3, 3}) == Row{0, 0, 0});
  // Mean 0, v = 2 * 300^2, root 424; (2^31 - 1) / 424 = 5064819.
  CHECK(hs::reference_integer_layer_norm(Row{300, -300}) == Row{759722850, -759722850});
  // Means of 3/2 and 5/2 go to 2; v = 1, root 64, half of 33554431 either way, cut downwards.
  CHECK(hs::reference_integer_layer_norm(Row{1, 2}) == Row{-16777216, 0});
  CHECK(hs::reference_integer_layer_norm(Row{2, 3}) == Row{0, 16777215});
}
