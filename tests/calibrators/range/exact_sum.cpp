#include "halfstep/calibrators/range/exact_sum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

ExactSum one_by_one(const std::vector<float>& xs) {
  ExactSum sum;
  for (const float x : xs) sum.add(x);
  return sum;
}

}  // namespace

TEST_CASE("an exact sum of few magnitudes is their sum in long double") {
  CHECK(ExactSum().value() == 0);
  CHECK(one_by_one({1.5f, -2.25f, 0.0f, -0.0f}).value() == 3.75);
  CHECK(one_by_one({0x1p-149f, 0x1p-149f, -0x1p-126f}).value() == 0x1p-148 + 0x1p-126);
  constexpr float largest = std::numeric_limits<float>::max();
  CHECK(one_by_one({largest, largest, -largest, largest}).value() == 4 * static_cast<double>(largest));
  // What a double sum would lose: 2^60 + 2^-20, 2^60 taken away by comparison with another sum.
  CHECK_FALSE(one_by_one({0x1p60f, 0x1p-20f}) == one_by_one({0x1p60f}));
  CHECK(one_by_one({0x1p60f, 0x1p-20f}) == one_by_one({0x1p-21f, 0x1p60f, 0x1p-21f}));
}

TEST_CASE("an exact sum carries through all its words") {
  // 2^k copies of the float just below 2^j add up to 2^(k + j) (1 - 2^-24): carries from one word into the next.
  for (int exponent = -140; exponent <= 120; exponent += 13) {
    const float x = std::ldexp(1.0f - 0x1p-24f, std::max(exponent, -125));
    std::vector<float> copies(1 << 12, x);
    const double expected = std::ldexp(static_cast<double>(x), 12);
    CAPTURE(exponent);
    CHECK(one_by_one(copies).value() == expected);
    ExactSum run;
    run.add(copies.data(), static_cast<Index>(copies.size()));
    CHECK(run == one_by_one(copies));
  }
}

TEST_CASE("an exact sum does not depend on order, runs or merges") {
  const std::uint32_t seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::vector<float> xs = any_finite(1, 3001, seed).values;
  const ExactSum expected = one_by_one(xs);
  std::shuffle(xs.begin(), xs.end(), std::mt19937(seed));
  CHECK(one_by_one(xs) == expected);
  for (const Index first : {0, 1, 100, 1500, 2990, 3001}) {
    ExactSum a, b;
    a.add(xs.data(), first);
    b.add(xs.data() + first, 3001 - first);
    ExactSum ba = b;
    ba.merge(a);
    a.merge(b);
    CHECK(a == expected);
    CHECK(ba == expected);
  }
}

TEST_CASE("the double of an exact sum is the sum up to its last place") {
  const std::uint32_t seed = GENERATE(11u, 12u);
  CAPTURE(seed);
  const std::vector<float> xs = random_matrix(1, 5000, seed).values;
  long double sum = 0;  // 64 bits hold 5000 normal values of 24 bits but for those below 2^-30
  for (const float x : xs) sum += std::fabs(static_cast<long double>(x));
  const double expected = static_cast<double>(sum);
  // Four roundings of 2^-53 in value(), 5000 of 2^-64 in the oracle.
  CHECK(std::fabs(one_by_one(xs).value() - expected) <= 5 * 0x1p-53 * expected);
  CHECK(mean_abs(xs) == static_cast<float>(one_by_one(xs).value() / 5000));
  CHECK(mean_abs({}) == 0);
}
