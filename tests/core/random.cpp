#include "halfstep/core/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("philox4x32 gives the published known answers", "[core][random]") {
  // Known-answer vectors of the Random123 distribution for philox4x32, 10 rounds.
  using Four = std::array<std::uint32_t, 4>;
  CHECK(hs::philox4x32({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(hs::philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Four{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(hs::philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}) ==
        Four{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("numbers depend on seed, stream and position alone", "[core][random]") {
  const hs::Random random(7), again(7), stream(7, 1), other(8);
  CHECK(random.bits(12345) == again.bits(12345));
  CHECK(random.bits(12345) != stream.bits(12345));
  CHECK(random.bits(12345) != other.bits(12345));
  std::set<std::uint32_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(random.bits(i));
  CHECK(seen.size() > 990);
}

TEST_CASE("portable_log agrees with the logarithm", "[core][random]") {
  for (double x = 1e-300; x < 1e300; x *= 1.7) {
    CAPTURE(x);
    CHECK(std::abs(hs::portable_log(x) - std::log(x)) <= 4e-15 * std::max(1.0, std::abs(std::log(x))));
  }
}

TEST_CASE("uniform and normal numbers have their moments", "[core][random]") {
  const hs::Random random(3);
  constexpr int n = 200000;
  double sum = 0, square = 0, uniform = 0;
  int beyond_two = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(random.normal(i));
    sum += x;
    square += x * x;
    beyond_two += std::abs(x) > 2 ? 1 : 0;
    const float u = random.uniform(i);
    REQUIRE((u >= 0.0f && u < 1.0f));
    uniform += static_cast<double>(u);
  }
  // Five standard errors of each mean.
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(square / n - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(uniform / n - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(beyond_two / static_cast<double>(n) - 0.0455) < 5 * std::sqrt(0.0455 / n));
}

TEST_CASE("normal numbers have the same bits everywhere", "[core][random]") {
  // A change of these is a change of every seeded result: central values and one from each tail.
  const hs::Random random(1);
  std::uint64_t hash = 14695981039346656037ull;
  for (std::uint64_t i = 0; i < 10000; ++i)
    hash = (hash ^ std::bit_cast<std::uint32_t>(random.normal(i))) * 1099511628211ull;
  CAPTURE(hash);
  CHECK(hash == 0xf2d00978a381562dull);
}

TEST_CASE("sampling without replacement", "[core][random]") {
  const hs::Random random(0);
  const auto sample = random.sample_without_replacement(128, 32);
  CHECK(sample.size() == 32);
  CHECK(std::set<hs::Index>(sample.begin(), sample.end()).size() == 32);
  CHECK(std::all_of(sample.begin(), sample.end(), [](hs::Index i) { return i >= 0 && i < 128; }));
  CHECK(sample == hs::Random(0).sample_without_replacement(128, 32));
  CHECK(sample != hs::Random(1).sample_without_replacement(128, 32));
  CHECK(random.sample_without_replacement(0, 0).empty());
  auto all = random.permutation(50);
  std::sort(all.begin(), all.end());
  for (hs::Index i = 0; i < 50; ++i) CHECK(all[static_cast<std::size_t>(i)] == i);
  CHECK_RAISES(random.sample_without_replacement(3, 4), "count is 4, expected 0 to the population of 3");

  // Each number is drawn equally often: 5 standard deviations of a binomial count.
  std::array<int, 5> counts{};
  for (std::uint64_t seed = 0; seed < 5000; ++seed)
    ++counts[static_cast<std::size_t>(hs::Random(seed).sample_without_replacement(5, 1)[0])];
  for (const int count : counts) CHECK(std::abs(count - 1000) < 5 * std::sqrt(5000 * 0.2 * 0.8));
}

TEST_CASE("normal_quantile is as close as it says", "[core][random]") {
  // One Newton step against erfc measures the error of x in units of x: (Phi(x) - p) / phi(x).
  const double pi = std::acos(-1.0);
  for (double p = 1e-15; p < 0.5; p *= 1.01) {
    CAPTURE(p);
    const double x = hs::normal_quantile(p);
    const double step = (0.5 * std::erfc(-x / std::sqrt(2.0)) - p) * std::sqrt(2 * pi) * std::exp(0.5 * x * x);
    // 1.2e-9 is the published bound; the rest is the rounding of erfc and of p near the median.
    CHECK(std::abs(step) <= 1.2e-9 * std::abs(x) + 1e-14);
  }
  for (const double p : {0.001, 0.02, 0.3, 0.4999})
    CHECK(hs::normal_quantile(1 - p) == Approx(-hs::normal_quantile(p)));
  CHECK(hs::normal_quantile(0.5) == 0.0);
}

TEST_CASE("wide draws are made of the narrow ones", "[core][random]") {
  const hs::Random random(11, 4);
  for (const std::uint64_t i :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{6}, std::uint64_t{7}, std::uint64_t{1} << 40}) {
    CHECK(random.wide_bits(i) == (random.bits(2 * i) | std::uint64_t{random.bits(2 * i + 1)} << 32));
    const double u = random.uniform_double(i);
    CHECK((u >= 0.0 && u < 1.0));
    CHECK(u == static_cast<double>(random.wide_bits(i) / 2048) / 9007199254740992.0);
  }
}

TEST_CASE("below draws each number equally often, and says how far it read", "[core][random]") {
  const hs::Random random(5);
  std::uint64_t position = 0;
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<std::size_t>(random.below(7, position))];
  for (const int count : counts) CHECK(std::abs(count - 10000) < 5 * std::sqrt(70000 * (1 / 7.0) * (6 / 7.0)));
  CHECK(position >= 70000);
  CHECK(random.below(1, position) == 0);

  // Above half the range every second draw must be refused; taking all of them modulo n would favour small numbers.
  const std::uint64_t n = (std::uint64_t{1} << 63) + 1;
  position = 0;
  int low = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::uint64_t drawn = random.below(n, position);
    REQUIRE(drawn < n);
    low += drawn < n / 2 ? 1 : 0;
  }
  CHECK(std::abs(static_cast<double>(position) - 8000) < 5 * std::sqrt(8000.0));  // geometric: mean 2, variance 2
  CHECK(std::abs(low - 2000) < 5 * std::sqrt(1000.0));
  CHECK_RAISES(random.below(0, position), "halfstep: Random::below: n is 0, expected at least 1");
}

TEST_CASE("shuffle makes every order equally likely, and is the permutation of its seed", "[core][random]") {
  std::vector<hs::Index> numbers(20);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<hs::Index>(i);
  hs::Random(9, 2).shuffle(std::span(numbers));
  CHECK(numbers == hs::Random(9, 2).permutation(20));
  CHECK(hs::Random(9, 2).sample_without_replacement(20, 4) ==
        std::vector<hs::Index>(numbers.begin(), numbers.begin() + 4));

  std::array<int, 6> orders{};
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    std::array<int, 3> v{0, 1, 2};
    hs::Random(seed).shuffle(std::span<int>(v));
    ++orders[static_cast<std::size_t>(2 * v[0] + (v[1] > v[2] ? 1 : 0))];
  }
  for (const int count : orders) CHECK(std::abs(count - 1000) < 5 * std::sqrt(6000 * (1 / 6.0) * (5 / 6.0)));
}
