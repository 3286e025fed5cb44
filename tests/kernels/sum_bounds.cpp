#include "halfstep/kernels/sum_bounds.hpp"

#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// 255 at every k against -128 in one row of the weight and 127 in the other.
struct Extremes {
  hs::EncodedMatrix x;
  hs::PackedMatrix w;
  explicit Extremes(hs::Index k) {
    hs::MatrixF weight = hs::MatrixF::Constant(2, k, -128.0f);
    weight.row(1).setConstant(127.0f);
    x = hs::encode(hs::MatrixF(hs::MatrixF::Constant(1, k, 255.0f)), hs::Uniform<8>{1, 0});
    w = hs::pack(hs::quantize_with(weight, std::vector{hs::Uniform<8>{1, 128}}));
  }
  [[nodiscard]] hs::SumReport check(hs::Index piece) const { return hs::check_sums(x.rows_view(), w, piece); }
};

}  // namespace

TEST_CASE("the longest sums of formats, at compile time", "[sum_bounds]") {
  static_assert(hs::longest_sum_of_bits<8, 8> == 65793);
  static_assert(hs::longest_sum_of_bits<8, 4> == 1052688);
  static_assert(hs::longest_sum_of_bits<4, 4> == 17895697);
  static_assert(hs::longest_sum(255, 255) == 33025);
  static_assert(hs::longest_sum(0, 128) == std::numeric_limits<hs::Index>::max());
  for (const std::int64_t a : {1, 3, 15, 127, 255}) {
    for (const std::int64_t b : {1, 7, 8, 127, 128}) {
      const std::int64_t longest = hs::longest_sum(a, b), most = std::numeric_limits<std::int32_t>::max();
      CHECK(longest * a * b <= most);
      CHECK((longest + 1) * a * b > most);
    }
  }
}

TEST_CASE("the longest sums of operands", "[sum_bounds]") {
  const hs::MatrixF w = random_eigen(5, 64, 1);
  const hs::PackedMatrix bytes =
      hs::pack(hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_row(), .symmetry = hs::Symmetry::symmetric}));
  const hs::PackedMatrix fp4 = hs::pack(hs::quantize<hs::Fp4E2M1>(w, {.tiling = hs::per_row()}));
  CHECK(hs::longest_sum(hs::Activation(), bytes) == 65793);
  CHECK(hs::longest_sum(hs::Activation(), fp4) == hs::longest_sum(255, 12));
  CHECK(hs::longest_sum(hs::Uniform<4>{1, 8}, fp4) == hs::longest_sum(15, 12));
  CHECK(hs::longest_sum(hs::Binary{}, hs::pack(hs::quantize<hs::Binary>(w))) == hs::longest_sum(2, 1));
}

TEST_CASE("overflows of int32 are counted where they happen, and nowhere else", "[sum_bounds]") {
  const std::int64_t product = 255 * 128;
  CHECK(Extremes(64).check(0) == hs::SumReport{2, 0, 64 * product - 1});
  CHECK(Extremes(65793).check(0) == hs::SumReport{2, 0, 65793 * product - 1});
  CHECK(Extremes(65794).check(0) == hs::SumReport{2, 1, 65794 * product - 1});  // 127 has some room left
  CHECK(Extremes(66400).check(0).overflows == 2);
  CHECK(Extremes(140000).check(hs::Blocking{}.panel_k).overflows == 0);
  CHECK(Extremes(140000).check(65536) == hs::SumReport{6, 0, 65536 * product - 1});
  CHECK(Extremes(140000).check(65793).overflows == 0);
  CHECK(Extremes(140000).check(65794).overflows == 2);  // two whole pieces, -128 each
  // And the product itself, which cuts, is right: docs/numerics.md, section 3.
  const Extremes long_sum(140000);
  const hs::MatrixF y = hs::matmul(long_sum.x, long_sum.w, {.blocking = {256, 65536}});
  CHECK(y(0, 0) == static_cast<float>(-140000.0 * 255 * 128));
}

TEST_CASE("sums are counted for each pair of planes and each group", "[sum_bounds]") {
  const hs::MatrixF x = random_eigen(3, 100, 2);
  const hs::PackedMatrix w =
      hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(7, 100, 3), {.tiling = hs::per_group(32)}));
  const hs::EncodedMatrix encoded = hs::encode(x, hs::Activation());
  CHECK(hs::check_sums(encoded.rows_view(), w, 0).sums == 3 * 7 * 4);
  CHECK(hs::check_sums(encoded.rows_view(), w, 16).sums == 3 * 7 * (2 + 2 + 2 + 1));
  CHECK(hs::check_sums(encoded.rows_view(), w, 0).largest <= 32 * 255 * 8);
  CHECK_RAISES(hs::check_sums(encoded.rows_view(), w, -1), "halfstep: check_sums: piece is -1");
  CHECK_RAISES(hs::check_sums(hs::encode(random_eigen(3, 99, 2), hs::Activation()).rows_view(), w, 0),
               "x has 99 columns, packed weight expects 100");
}
