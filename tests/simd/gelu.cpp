#include "halfstep/simd/gelu.hpp"

#include "simd/oracle.hpp"
#include "support/special_values.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

namespace {

const double sqrt_half = std::sqrt(0.5);

/// The unit of an error relative to max(1, |x|).
double input_scale(double x, double) { return std::max(1.0, std::abs(x)); }
double one(double, double) { return 1.0; }

}  // namespace

TEST_CASE("activation functions keep to the errors that they state") {
  const auto gelu = [](float x) { return simd::gelu(x); };
  const auto silu = [](float x) { return simd::silu(x); };
  const auto gelu_oracle = [](double x) { return x * 0.5 * std::erfc(-x * sqrt_half); };
  const auto silu_oracle = [](double x) { return x / (1 + std::exp(-x)); };
  for (float range : {3e38f, 20.0f, 1.0f}) {
    CHECK(greatest_error(floats_within(-range, range), gelu, gelu_oracle, input_scale) <= 1e-6);
    CHECK(greatest_error(floats_within(-range, range), silu, silu_oracle, input_scale) <= 1e-6);
  }
  const auto tail = [](float x) { return simd::normal_tail(x); };
  const auto tail_oracle = [](double x) { return 0.5 * std::erfc(x * sqrt_half); };
  CHECK(greatest_error(floats_within(0, 15), tail, tail_oracle, one) <= 4e-7);
}

TEST_CASE("activation functions at the ends of the line") {
  CHECK(simd::gelu(infinity) == infinity);
  CHECK(simd::silu(infinity) == infinity);
  CHECK(simd::relu(infinity) == infinity);
  for (float x : {-infinity, -3e38f, -200.0f}) {
    CHECK(simd::gelu(x) == 0.0f);
    CHECK(simd::silu(x) == 0.0f);
    CHECK(simd::relu(x) == 0.0f);
  }
  CHECK(simd::gelu(0.0f) == 0.0f);
  CHECK(simd::silu(0.0f) == 0.0f);
  CHECK(simd::gelu(20.0f) == 20.0f);
  CHECK(simd::relu(2.5f) == 2.5f);
  for (float x : {not_a_number, -not_a_number}) {
    CHECK(simd::is_nan(simd::gelu(x)));
    CHECK(simd::is_nan(simd::silu(x)));
    CHECK(simd::is_nan(simd::relu(x)));
  }
}

TEST_CASE("activation functions of a batch have the bits of those of a float, here and on every machine") {
  auto xs = sweep_of_floats();
  for (float x : floats_within(-16, 16)) xs.push_back(x);
  check_same_on_floats([](auto x) { return simd::gelu(x); }, xs);
  check_same_on_floats([](auto x) { return simd::silu(x); }, xs);
  check_same_on_floats([](auto x) { return simd::relu(x); }, xs);
  check_same_on_floats([](auto x) { return simd::normal_tail(simd::clamp(x, 0.0f, 15.0f)); }, xs);
  CHECK(bit_hash([](float x) { return simd::gelu(x); }, -20, 20) == 0xf5582d03);
  CHECK(bit_hash([](float x) { return simd::silu(x); }, -130, 130) == 0x1ccea130);
}
