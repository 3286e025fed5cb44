#pragma once

/// \file
/// Random numbers that are a function of (seed, stream, counter): any of them can be computed alone, in any order and
/// on any thread, and they have the same bits on every compiler and instruction set.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four 32-bit
/// numbers from a 128-bit counter and a 64-bit key.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// Natural logarithm of a positive normal double, to about 1e-15 relative, built from operations that round alike
/// everywhere (`std::log` does not).
[[nodiscard]] inline double portable_log(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<int>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0xfffffffffffffu) | (std::uint64_t{1023} << 52));
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    ++exponent;
  }
  // log m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.1716: 13 odd terms.
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 1.0 / 25;
  for (int n = 23; n >= 1; n -= 2) sum = std::fma(sum, square, 1.0 / n);
  return std::fma(static_cast<double>(exponent), 0.6931471805599453, 2 * s * sum);
}

/// The number below which a standard normal variable falls with probability p, 0 < p < 1; relative error below 1.2e-9
/// (P. J. Acklam's rational approximation). Fused multiply-adds are written out, so that every compiler makes the same.
[[nodiscard]] inline double normal_quantile(double p) {
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,  -1.556989798598866e+02,
                          6.680131188771972e+01,  -1.328068155288572e+01, 1.0};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00,
                          1.0};
  const auto polynomial = [](std::span<const double> coefficients, double x) {
    double sum = coefficients[0];
    for (std::size_t i = 1; i < coefficients.size(); ++i) sum = std::fma(sum, x, coefficients[i]);
    return sum;
  };
  constexpr double tail = 0.02425;
  if (p < tail || p > 1 - tail) {
    const double q = std::sqrt(-2 * portable_log(p < tail ? p : 1 - p));
    const double x = polynomial(c, q) / polynomial(d, q);
    return p < tail ? x : -x;
  }
  const double q = p - 0.5, r = q * q;
  return polynomial(a, r) * q / polynomial(b, r);
}

/// A seeded source of random numbers, read by position. Equal (seed, stream, position) give equal numbers; different
/// streams of one seed are independent. Draws of different kinds at one position share their bits: give each purpose
/// a stream of its own. A value type; const use is safe from any number of threads. Class: exact.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// 32 random bits.
  [[nodiscard]] constexpr std::uint32_t bits(std::uint64_t position) const {
    return philox4x32(counter(position / 4), key())[position % 4];
  }
  /// 64 random bits; uses positions 2 p and 2 p + 1 of `bits`.
  [[nodiscard]] constexpr std::uint64_t wide_bits(std::uint64_t position) const {
    const auto block = philox4x32(counter(position / 2), key());
    const std::size_t first = position % 2 * 2;
    return std::uint64_t{block[first]} | std::uint64_t{block[first + 1]} << 32;
  }
  /// Uniform in [0, 1), a multiple of 2^-24.
  [[nodiscard]] constexpr float uniform(std::uint64_t position) const {
    return static_cast<float>(bits(position) >> 8) * 0x1p-24f;
  }
  /// Uniform in [0, 1), a multiple of 2^-53.
  [[nodiscard]] constexpr double uniform_double(std::uint64_t position) const {
    return static_cast<double>(wide_bits(position) >> 11) * 0x1p-53;
  }
  /// Normal with mean 0 and deviation 1.
  [[nodiscard]] float normal(std::uint64_t position) const {
    const double p = (static_cast<double>(wide_bits(position) >> 12) + 0.5) * 0x1p-52;  // never 0 or 1
    return static_cast<float>(normal_quantile(p));
  }

  /// A number out of 0 .. n - 1, each equally likely: draws again where the last, incomplete multiple of n was hit.
  /// Takes `wide_bits` from `position` on, and moves it behind the last one taken. Errors: n of 0.
  [[nodiscard]] constexpr std::uint64_t below(std::uint64_t n, std::uint64_t& position) const {
    if (n == 0) raise("Random::below", "n is 0, expected at least 1");
    const std::uint64_t rejected = (~std::uint64_t{0} % n + 1) % n;  // 2^64 mod n
    for (;;) {
      const std::uint64_t drawn = wide_bits(position++);
      if (drawn >= rejected) return drawn % n;
    }
  }

  /// Puts `values` in random order (Fisher-Yates). The order depends on seed, stream and number of values alone.
  template <class T>
  void shuffle(std::span<T> values) const {
    shuffle_head(values, values.size());
  }

  /// `count` different numbers out of 0 .. population - 1, in random order (the head of a Fisher-Yates shuffle).
  [[nodiscard]] std::vector<Index> sample_without_replacement(Index population, Index count) const {
    if (population < 0 || count < 0 || count > population) {
      raise("Random::sample_without_replacement", "count is ", count, ", expected 0 to the population of ", population);
    }
    std::vector<Index> numbers(static_cast<std::size_t>(population));
    std::iota(numbers.begin(), numbers.end(), Index{0});
    shuffle_head(std::span<Index>(numbers), static_cast<std::size_t>(count));
    numbers.resize(static_cast<std::size_t>(count));
    return numbers;
  }

  /// 0 .. population - 1 in random order.
  [[nodiscard]] std::vector<Index> permutation(Index population) const {
    return sample_without_replacement(population, population);
  }

 private:
  /// The first `count` steps of a Fisher-Yates shuffle: they settle the first `count` values.
  template <class T>
  void shuffle_head(std::span<T> values, std::size_t count) const {
    using std::swap;
    std::uint64_t position = 0;
    for (std::size_t i = 0; i < count; ++i) {
      swap(values[i], values[i + static_cast<std::size_t>(below(values.size() - i, position))]);
    }
  }
  [[nodiscard]] constexpr std::array<std::uint32_t, 4> counter(std::uint64_t block) const {
    return {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
            static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)};
  }
  [[nodiscard]] constexpr std::array<std::uint32_t, 2> key() const {
    return {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)};
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
