#include "halfstep/recipes/uniform_bits.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("with_uniform_bits calls for the width that it is given, and for no other", "[uniform_bits]") {
  for (int bits = 2; bits <= 8; ++bits) {
    CHECK(hs::with_uniform_bits("where", "what", bits, []<int Bits>() { return 10 * Bits; }) == 10 * bits);
    CHECK_NOTHROW(hs::require_uniform_bits("where", "what", bits));
  }
  for (const int bits : {-4, 0, 1, 9, 32}) {
    CAPTURE(bits);
    CHECK_RAISES(hs::with_uniform_bits("where", "what", bits, []<int Bits>() { return Bits; }),
                 hs::concat("where: what is ", bits, ", expected 2 to 8"));
    CHECK_RAISES(hs::require_uniform_bits("where", "what", bits),
                 hs::concat("where: what is ", bits, ", expected 2 to 8"));
  }
}

TEST_CASE("pack_nearest rounds each weight to the nearest level of its row", "[uniform_bits]") {
  const FloatMatrix w = random_matrix(19, 33, 401, 0.7f, 0.1f);
  for (int bits = 2; bits <= 8; ++bits) {
    const hs::PackedMatrix packed = hs::pack_nearest(w.view(), bits);
    const hs::MatrixF decoded = hs::decode_packed(packed);
    REQUIRE(packed.shape() == hs::Shape{19, 33});
    for (hs::Index n = 0; n < 19; ++n) {
      const float* row = w.view().row(n);
      const double low = std::min(0.0f, *std::min_element(row, row + 33));
      const double high = std::max(0.0f, *std::max_element(row, row + 33));
      const double step = (high - low) / (std::pow(2.0, bits) - 1);
      std::vector<double> levels;
      for (hs::Index k = 0; k < 33; ++k) {
        const double value = static_cast<double>(decoded(n, k));
        // Half a step, and another half where rounding the zero point has moved an end of the range.
        const bool at_end = static_cast<double>(row[k]) < low + step || static_cast<double>(row[k]) > high - step;
        CAPTURE(bits, n, k);
        CHECK(std::fabs(value - static_cast<double>(row[k])) <= (at_end ? 1.0001 : 0.5001) * step);
        CHECK(std::fabs(value / step - std::round(value / step)) < 1e-4);  // whole steps from 0
        levels.push_back(std::round(value / step));
      }
      std::sort(levels.begin(), levels.end());
      CHECK(levels.back() - levels.front() <= std::pow(2.0, bits) - 1);
    }
    hs::ThreadPool pool(3);
    CHECK(hs::pack_nearest(w.view(), bits, pool) == packed);
  }
  CHECK_RAISES(hs::pack_nearest(w.view(), 9), "pack_nearest: bits is 9, expected 2 to 8");
}

TEST_CASE("uniform_activation covers a range widened to hold 0", "[uniform_bits]") {
  struct Case {
    hs::Range range;
    int bits;
    double scale, zero;
  };
  for (const Case& c : {Case{{-1.0f, 2.0f, 0}, 2, 1.0, 1}, Case{{0.5f, 6.0f, 0}, 4, 0.4, 0},
                        Case{{-7.5f, -1.0f, 0}, 4, 0.5, 15}, Case{{-1.0f, 1.55f, 0}, 8, 0.01, 100}}) {
    const hs::Activation activation = hs::uniform_activation(c.range, c.bits);
    CAPTURE(c.bits, c.range.min, c.range.max);
    CHECK(activation.bits() == c.bits);
    CHECK_FALSE(activation.is_dynamic());
    CHECK(activation.plane_count() == 1);
    CHECK(static_cast<double>(activation.static_scale().unit) == Approx(c.scale).epsilon(1e-6));
    CHECK(static_cast<double>(activation.static_scale().zero) == c.zero);
  }
  CHECK_RAISES(hs::uniform_activation({-1, 1}, 1), "uniform_activation: bits is 1, expected 2 to 8");
}
