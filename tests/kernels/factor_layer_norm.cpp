#include "halfstep/kernels/factor_layer_norm.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

struct FactorCase {
  IntegerMatrix<std::uint8_t> codes;
  std::vector<std::int32_t> shifts;
  FloatMatrix gain, bias;
  float scale = 0.008f;
  std::int32_t zero_point = 131;
  hs::NormOutput output{0.047f, 0};

  FactorCase(hs::Index rows, hs::Index cols, std::uint32_t seed)
      : codes(random_integers<std::uint8_t>(rows, cols, seed, 0, 255)),
        gain(random_matrix(1, cols, seed + 1, 2.0f, 1.0f)),
        bias(random_matrix(1, cols, seed + 2)) {
    for (hs::Index c = 0; c < cols; ++c) shifts.push_back(static_cast<std::int32_t>((c * 7 + 3) % 4));
  }
  [[nodiscard]] hs::FactorCodes input() const { return {codes.view(), scale, zero_point, shifts}; }
};

/// The formula of the header, one element at a time.
std::vector<std::int64_t> expected_row(const FactorCase& c, hs::Index r) {
  const auto s = static_cast<double>(c.scale), s_out = static_cast<double>(c.output.scale);
  const auto n = static_cast<std::int64_t>(c.codes.cols);
  std::int64_t sum = 0, squares = 0;
  std::vector<std::int64_t> x;
  for (hs::Index i = 0; i < n; ++i) {
    x.push_back(std::int64_t{c.codes(r, i) - c.zero_point} << c.shifts[static_cast<std::size_t>(i)]);
    sum += x.back();
    squares += x.back() * x.back();
  }
  const double mean = s * (static_cast<double>(sum) / static_cast<double>(n));
  const double std = s / static_cast<double>(n) * std::sqrt(static_cast<double>(n * squares - sum * sum));
  std::vector<std::int64_t> y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto gain = static_cast<double>(c.gain.values[i]), bias = static_cast<double>(c.bias.values[i]);
    const double a = std == 0 ? 0 : gain * s / (std * s_out);
    int shift = 31;
    if (a != 0) shift = 7 - static_cast<int>(std::floor(std::log2(std::fabs(a))));
    shift = shift < 0 ? 0 : shift > 31 ? 31 : shift;
    double m = std::floor(std::ldexp(std::fabs(a), shift));
    m = m > 255 ? 255 : m;
    volatile double moved = std == 0 ? 0 : mean / std * gain;  // volatile: no rounding may be left out
    const double b = std::nearbyint(std::ldexp((bias - moved) / s_out, shift));
    const double exact = std::nearbyint(std::ldexp(std::copysign(m, a) * static_cast<double>(x[i]) + b, -shift));
    y.push_back(static_cast<std::int64_t>(std::clamp(exact, -0x1p19, 0x1p19)));
  }
  return y;
}

void check_rows(const FactorCase& c, hs::ExecutorRef executor = {}) {
  IntegerMatrix<std::int32_t> out(c.codes.rows, c.codes.cols);
  IntegerMatrix<std::uint8_t> next(c.codes.rows, c.codes.cols);
  hs::factor_layer_norm(c.input(), c.gain.values, c.bias.values, c.output, out.view(), executor);
  hs::NormOutput coded = c.output;
  coded.zero_point = 120;
  hs::factor_layer_norm(c.input(), c.gain.values, c.bias.values, coded, next.view(), executor);
  REQUIRE(out.padding_is_untouched());
  REQUIRE(next.padding_is_untouched());
  for (hs::Index r = 0; r < c.codes.rows; ++r) {
    std::vector<std::int64_t> y = expected_row(c, r);
    CAPTURE(c.codes.cols);
    REQUIRE(row_difference(out, r, y) == "");
    for (std::int64_t& value : y) value = std::min<std::int64_t>(255, std::max<std::int64_t>(0, value + 120));
    REQUIRE(row_difference(next, r, y) == "");
  }
}

}  // namespace

TEST_CASE("factor_layer_norm is its formula at every length", "[factor_layer_norm]") {
  for (hs::Index cols : row_lengths()) {
    for (const std::uint32_t seed : {1u, 10u, 20u}) check_rows(FactorCase(5, cols, seed));
  }
  for (const hs::Index cols : {15, 16, 17, 768}) check_rows(FactorCase(3, cols, 30));
}

TEST_CASE("factor_layer_norm of extremes", "[factor_layer_norm]") {
  FactorCase c(4, 33, 2);
  for (hs::Index i = 0; i < 33; ++i) {
    c.codes(0, i) = 131;  // no deviation: all are the mean
    c.codes(1, i) = i % 2 == 0 ? 0 : 255;
    c.codes(2, i) = i == 5 ? 255 : 0;
  }
  for (std::int32_t& shift : c.shifts) shift = 7;
  c.gain.values[3] = 0;
  c.gain.values[4] = 1e-30f;
  c.gain.values[5] = -3e6f;
  c.bias.values[6] = -1e6f;
  check_rows(c);
  c.output.scale = 40;  // so coarse that N is 31
  check_rows(c);
  c.output.scale = 1e-4f;  // so fine that N is 0 and M is cut at 255
  check_rows(c);
}

TEST_CASE("factor_layer_norm is near the float one", "[factor_layer_norm]") {
  FactorCase c(20, 64, 3);
  for (float& gain : c.gain.values) gain = 1.0f + std::fabs(gain);
  IntegerMatrix<std::int32_t> out(20, 64);
  hs::factor_layer_norm(c.input(), c.gain.values, c.bias.values, c.output, out.view());
  for (hs::Index r = 0; r < 20; ++r) {
    std::vector<double> x;
    double mean = 0, squares = 0;
    for (hs::Index i = 0; i < 64; ++i) {
      x.push_back((c.codes(r, i) - c.zero_point) * (1 << c.shifts[static_cast<std::size_t>(i)]) *
                  static_cast<double>(c.scale));
      mean += x.back() / 64;
    }
    for (const double value : x) squares += (value - mean) * (value - mean);
    for (std::size_t i = 0; i < 64; ++i) {
      const double z = (x[i] - mean) / std::sqrt(squares / 64), g = static_cast<double>(c.gain.values[i]);
      const double exact = (z * g + static_cast<double>(c.bias.values[i])) / static_cast<double>(c.output.scale);
      // M is cut to 8 bits: 1 / 128 of A X; B and y round once each.
      const double cut = std::fabs(x[i]) / std::sqrt(squares / 64) * g / static_cast<double>(c.output.scale) / 128;
      CAPTURE(r, i, exact);
      CHECK(std::fabs(out(r, static_cast<hs::Index>(i)) - exact) <= cut + 1.0);
    }
  }
}

TEST_CASE("factor_layer_norm does not depend on threads", "[factor_layer_norm]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  const FactorCase c(2000, 37, 7);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) check_rows(c, executor);
  check_rows(FactorCase(0, 5, 1));
  check_rows(FactorCase(5, 0, 1));
}

TEST_CASE("factor_layer_norm refuses what does not fit", "[factor_layer_norm]") {
  FactorCase c(3, 4, 1);
  IntegerMatrix<std::int32_t> out(3, 4);
  const auto run = [&] { hs::factor_layer_norm(c.input(), c.gain.values, c.bias.values, c.output, out.view()); };
  const FactorCase good = c;
  c.shifts[2] = 8;
  CHECK_RAISES(run(), "halfstep: factor_layer_norm: shifts holds 8, expected 0 to 7");
  c = good, c.shifts.pop_back();
  CHECK_RAISES(run(), "shifts has 3 elements, x has 4 columns");
  c = good, c.zero_point = 256;
  CHECK_RAISES(run(), "the zero point of x is 256, expected 0 to 255");
  c = good, c.gain.values[1] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(run(), "channel 1 has gain inf");
  c = good, c.output.scale = 0;
  CHECK_RAISES(run(), "the scale of the output is 0");
  c = good, c.output.zero_point = 256;
  CHECK_RAISES(run(), "the zero point of the output is 256, expected -255 to 255");
  c = good, c.bias.values.push_back(0);
  CHECK_RAISES(run(), "bias has 5 elements, x has 4 columns");
  CHECK(out(0, 0) == 77);
}
