#include "halfstep/kernels/combine.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Both routes, fed with exact dots, against `reference_product`.
void check_routes(const hs::EncodedMatrix& encoded, const hs::PackedMatrix& w, bool integers) {
  const hs::EncodedRows x = encoded.rows_view();
  REQUIRE(hs::fits_integers(x, w) == integers);
  const bool exact = hs::fits_exact_doubles(x, w);
  REQUIRE((exact || !integers));
  const hs::MatrixF expected = hs::reference_product(encoded, w);
  const hs::Index count = w.padded_rows();
  for (hs::Index m = 0; m < x.rows; ++m) {
    std::vector<float> by_integers(static_cast<std::size_t>(count)),
        by_int32 = by_integers, by_double = by_integers, by_exact = by_integers, by_exact_double = by_integers;
    for (hs::Index g = 0; g < w.layout().groups(); ++g) {
      std::vector<std::vector<std::int32_t>> dots;
      std::vector<std::vector<double>> wide;
      for (int p = 0; p < x.plane_count; ++p) {
        for (int r = 0; r < w.plane_count(); ++r) {
          dots.emplace_back(static_cast<std::size_t>(count));
          wide.emplace_back(static_cast<std::size_t>(count));
          for (hs::Index n = 0; n < w.rows(); ++n) {
            const std::int64_t dot = hs::plane_dot(x, p, m, w, r, n, g);
            dots.back()[static_cast<std::size_t>(n)] = static_cast<std::int32_t>(dot);
            wide.back()[static_cast<std::size_t>(n)] = static_cast<double>(dot);
          }
        }
      }
      std::array<const std::int32_t*, 4> dot_rows{};
      std::array<const double*, 4> wide_rows{};
      for (std::size_t i = 0; i < dots.size(); ++i) {
        dot_rows[i] = dots[i].data();
        wide_rows[i] = wide[i].data();
      }
      const hs::CombineSpan at{x, w, m, g, 0, count};
      if (integers) hs::combine_integers(at, dot_rows[0], by_integers.data());
      hs::combine_reals<std::int32_t>(at, dot_rows, by_int32.data());
      hs::combine_reals<double>(at, wide_rows, by_double.data());
      if (exact) hs::combine_exact<std::int32_t>(at, dot_rows, by_exact.data());
      if (exact) hs::combine_exact<double>(at, wide_rows, by_exact_double.data());
    }
    for (hs::Index n = 0; n < w.rows(); ++n) {
      const auto at = static_cast<std::size_t>(n);
      if (integers) REQUIRE(by_integers[at] == expected(m, n));
      if (exact) REQUIRE(by_exact[at] == expected(m, n));
      if (exact) REQUIRE(by_exact_double[at] == expected(m, n));
      REQUIRE(by_int32[at] == expected(m, n));
      REQUIRE(by_double[at] == expected(m, n));
    }
  }
}

template <class Q>
hs::PackedMatrix packed(hs::Index rows, hs::Index cols, const hs::QuantizeOptions& options) {
  return hs::pack(hs::quantize<Q>(random_eigen(rows, cols, 5, 1, 0.4f), options));
}

}  // namespace

TEST_CASE("all routes give the bits of the reference", "[combine]") {
  const hs::MatrixF x = random_eigen(3, 70, 4, 1, 0.2f);
  const hs::QuantizeOptions options{.tiling = hs::per_group(32)};
  const auto uniform = packed<hs::Uniform<4>>(37, 70, options);
  const auto even_odd = packed<EvenOddQuantizer<4>>(37, 70, options);
  const auto power = packed<PowerQuantizer<4>>(37, 70, options);
  const hs::Activation two_planes = PowerQuantizer<4>{2.0f}, fraction = EvenOddQuantizer<4>{0.3f, -1.1f};
  check_routes(hs::encode(x, hs::Activation(), 32), uniform, true);
  check_routes(hs::encode(x, two_planes, 32), uniform, false);
  check_routes(hs::encode(x, fraction, 32), uniform, false);
  for (const hs::Activation& activation : {hs::Activation(), two_planes, fraction}) {
    check_routes(hs::encode(x, activation, 32), even_odd, false);
    check_routes(hs::encode(x, activation, 32), power, false);
  }
}

TEST_CASE("sums are exact in double where zeros and plane weights are integers and the sum below 2^53", "[combine]") {
  const hs::MatrixF x = random_eigen(3, 70, 4, 1, 0.2f);
  const hs::QuantizeOptions options{.tiling = hs::per_group(32)};
  const auto table = packed<hs::NormalFloat4>(37, 70, options);
  REQUIRE(table.plane_count() == 2);
  const hs::Activation two_planes = hs::Fp6E3M2::fit({-2, 3, 1}), fraction = EvenOddQuantizer<4>{0.3f, -1.1f};
  CHECK(hs::fits_exact_doubles(hs::encode(x, hs::Activation(), 32).rows_view(), table));
  CHECK(hs::fits_exact_doubles(hs::encode(x, two_planes, 32).rows_view(), table));
  CHECK_FALSE(hs::fits_exact_doubles(hs::encode(x, fraction, 32).rows_view(), table));
  check_routes(hs::encode(x, hs::Activation(), 32), table, false);
  check_routes(hs::encode(x, two_planes, 32), table, false);
  check_routes(hs::encode(x, two_planes, 32), packed<hs::Uniform<4>>(37, 70, options), false);
  check_routes(hs::encode(x, hs::TwinGelu<8>::fit({-0.2f, 3, 1}), 32), table, false);
}

TEST_CASE("correction stays in integers only where it fits", "[combine]") {
  const auto weight = packed<hs::Uniform<8>>(2, 100, {.symmetry = hs::Symmetry::symmetric});
  const hs::MatrixF x = random_eigen(2, 100, 6);
  CHECK(hs::fits_integers(hs::encode(x, hs::Uniform<8>{0.1f, 128}).rows_view(), weight));
  CHECK(hs::fits_integers(hs::encode(x, hs::Uniform<8>{0.1f, -100000}).rows_view(), weight));
  // 100 * 8000000 * 128 is beyond 2^31.
  CHECK_FALSE(hs::fits_integers(hs::encode(x, hs::Uniform<8>{0.1f, -8000000}).rows_view(), weight));
  const auto long_weight = packed<hs::Uniform<8>>(1, 70000, {.symmetry = hs::Symmetry::symmetric});
  CHECK_FALSE(hs::fits_integers(hs::encode(random_eigen(1, 70000, 7), hs::Activation()).rows_view(), long_weight));
  const auto grouped = packed<hs::Uniform<8>>(1, 70000, {.tiling = hs::per_group(35000)});
  CHECK(hs::fits_integers(hs::encode(random_eigen(1, 70000, 7), hs::Uniform<8>{1, 0}, 35000).rows_view(), grouped) ==
        (255.0 * (128 + static_cast<double>(grouped.largest_zero())) * 35000 < 2147483648.0));
}

TEST_CASE("far zeros, whose terms wrap around, come back", "[combine]") {
  const hs::MatrixF x = random_eigen(2, 40, 8);
  const auto weight = packed<hs::Uniform<8>>(20, 40, {.tiling = hs::per_row()});
  for (const std::int32_t zero : {-200000, -5000, 300, 150000}) {
    check_routes(hs::encode(x, hs::Uniform<8>{0.1f, zero}), weight, true);
  }
}
