#include "halfstep/calibrators/rounding/row_grid.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/quantizers/ternary.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double plain_error(const Uniform<3>& q, std::span<const float> x) {
  double sum = 0;
  for (const float v : x) sum += std::pow(std::fabs(static_cast<double>(v - q.decode(q.encode(v)))), 2.4);
  return sum;
}

}  // namespace

TEST_CASE("row_grid: errors to the power of 2.4") {
  for (const Index n : {1, 15, 16, 17, 100}) {
    const FloatMatrix x = random_matrix(1, n, static_cast<std::uint32_t>(n));
    const Uniform<3> q = Uniform<3>::fit({-2, 1, 0});
    // 2.4 log2 and exp2 are good to 4e-7 each, a product of up to 60 to another 2^-24 of itself.
    const double expected = plain_error(q, x.values);
    CHECK(std::fabs(error_of_power_2_4(q, x.values, 1.0f) - expected) <= 2e-5 * expected);
    CHECK(error_of_power_2_4(q, x.values, 0.5f) == Approx(std::pow(0.5, 2.4) * expected).epsilon(2e-5));
  }
}

TEST_CASE("row_grid: the published search finds the least error, in any unit") {
  const FloatMatrix x = random_matrix(1, 200, 3);
  const Range whole = range_of_values<Uniform<3>>(x.values);
  const auto rule = [](const Range& range) { return gptq_fit<3>(range); };
  const Uniform<3> found = shrunk_range_fit<Uniform<3>>(x.values, whole, rule);
  double least = plain_error(rule(whole), x.values);
  for (int i = 1; i < 80; ++i) {
    const auto factor = static_cast<float>(1 - i / 100.0);
    least = std::min(least, plain_error(rule({whole.min * factor, whole.max * factor, 0}), x.values));
  }
  CHECK(plain_error(found, x.values) <= least * (1 + 4e-5));
  for (const int exponent : {-100, 100}) {
    std::vector<float> scaled = x.values;
    for (float& v : scaled) v = std::ldexp(v, exponent);
    const Uniform<3> other = shrunk_range_fit<Uniform<3>>(scaled, range_of_values<Uniform<3>>(scaled), rule);
    CHECK(other.scale == std::ldexp(found.scale, exponent));
    CHECK(other.zero_point == found.zero_point);
  }
  const std::vector<float> zeros(5, 0.0f);
  CHECK(shrunk_range_fit<Uniform<3>>(zeros, {}, rule) == gptq_fit<3>({}));  // all the same: the widest
}

TEST_CASE("row_grid: fits to values, with factors, stored scales and means") {
  const FloatMatrix x = random_matrix(1, 50, 4);
  const Range whole = range_of_values<Uniform<4>>(x.values);
  const auto rule = [](const Range& range) { return Uniform<4>::fit(range); };
  const GranuleFit<Uniform<4>> plain{rule};
  CHECK(plain(x.values, 1) == Uniform<4>::fit(whole));
  CHECK(plain(x.values, 0.5f).scale == Uniform<4>::fit(whole).scale / 2);
  const GranuleFit<Uniform<4>> half{rule, GridRange::min_max, ScaleStorage::f16};
  CHECK(half(x.values, 1).scale == stored_scale(Uniform<4>::fit(whole).scale, ScaleStorage::f16));
  const auto ternary = [](const Range& range) { return Ternary::fit(range); };
  double mean = 0;
  for (const float v : x.values) mean += std::fabs(static_cast<double>(v)) / 50;
  CHECK(GranuleFit<Ternary>{ternary}(x.values, 1).scale == Approx(mean).epsilon(1e-6));
}

TEST_CASE("row_grid: rounds and decodes lanes of rows") {
  RowGrid<Uniform<4>> grid(5, 2), other(5, 2);
  for (Index r = 0; r < 5; ++r) {
    grid.at(r, 1) = {static_cast<float>(r + 1), 8};
    other.at(r, 0) = {0.5f, 3};
  }
  const float x[4] = {2.4f, 7.0f, -100.0f, 9.0f};
  float values[4] = {9, 9, 9, 9}, decoded[4];
  std::uint8_t codes[4] = {9, 9, 9, 9};
  grid.round(2, 4, 1, x, values, codes);
  CHECK(codes[0] == 9);  // 2.4 / 3
  CHECK(values[0] == 3);
  CHECK(codes[1] == 10);  // 7 / 4
  CHECK(values[1] == 8);
  CHECK(codes[2] == 0);
  CHECK(values[2] == -40);
  CHECK(codes[3] == 0);  // no row
  CHECK(values[3] == 0);
  grid.decode(2, 4, 1, codes, decoded);
  for (int i = 0; i < 4; ++i) CHECK(decoded[i] == values[i]);
  grid.take_row(other, 3);
  CHECK(grid.at(3, 0) == Uniform<4>{0.5f, 3});
  CHECK(grid.at(2, 0) == Uniform<4>{});
}
