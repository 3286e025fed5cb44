#pragma once

/// \file
/// A sum of magnitudes that does not depend on the order of its terms.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// The exact sum of |x| over finite floats.
///
/// Every float is a multiple of 2^-149, so their sum is an integer in that unit: 320 bits hold it for up to 2^43 terms
/// of any size. Integer addition has no order: partial sums of any threads and batches merge to the same bits.
/// Class: exact.
class ExactSum {
 public:
  /// Adds |x|; x must be finite.
  void add(float x) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
    add_mantissas(mantissa(magnitude), magnitude >> 23);
  }

  /// Adds |x[0]| to |x[n - 1]|, n <= 2^40. About a nanosecond an element for long runs.
  void add(const float* x, Index n) {
    if (n < long_run) {
      for (Index i = 0; i < n; ++i) add(x[i]);
      return;
    }
    // One 64-bit sum of 24-bit mantissas per exponent, to carry between words once per run instead of once per element.
    std::array<std::uint64_t, exponents> sums{};
    for (Index i = 0; i < n; ++i) {
      const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu;
      sums[magnitude >> 23] += mantissa(magnitude);
    }
    for (std::uint32_t e = 0; e < exponents; ++e) {
      if (sums[e] != 0) add_mantissas(sums[e], e);
    }
  }

  void merge(const ExactSum& other) {
    bool carry = false;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::uint64_t sum = words_[i] + other.words_[i];
      const std::uint64_t total = sum + (carry ? 1u : 0u);
      carry = sum < words_[i] || total < sum;
      words_[i] = total;
    }
  }

  /// The sum as a double, within 2 units in the last place.
  [[nodiscard]] double value() const {
    double total = 0, unit = 0x1p-149;  // powers of two: products are exact
    for (const std::uint64_t word : words_) {
      total += static_cast<double>(word) * unit;
      unit *= 0x1p64;
    }
    return total;
  }

  /// The sum in units of 2^-149, as 64-bit digits, the lowest first: what a file holds of it.
  using Words = std::array<std::uint64_t, 5>;
  [[nodiscard]] const Words& words() const { return words_; }
  [[nodiscard]] static ExactSum of_words(const Words& words) {
    ExactSum sum;
    sum.words_ = words;
    return sum;
  }

  friend bool operator==(const ExactSum&, const ExactSum&) = default;

 private:
  static constexpr Index long_run = 256;
  static constexpr std::uint32_t exponents = 256;

  /// The mantissa of a magnitude given by its bits, with the leading one of a normal number.
  static std::uint64_t mantissa(std::uint32_t magnitude) {
    return (magnitude & 0x007fffffu) | (magnitude >= 0x00800000u ? 0x00800000u : 0u);
  }

  /// Adds a sum of mantissas of numbers whose exponent field is `exponent`.
  void add_mantissas(std::uint64_t sum, std::uint32_t exponent) {
    const std::uint32_t position = exponent - (exponent != 0 ? 1u : 0u);  // subnormals have the unit of exponent 1
    const std::uint32_t shift = position % 64;
    std::uint64_t* word = words_.data() + position / 64;  // at most the fourth of five
    const std::uint64_t low = sum << shift;
    word[0] += low;
    const std::uint64_t rest =
        ((sum >> 1) >> (63 - shift)) + (word[0] < low ? 1u : 0u);  // < 2^64: the shift leaves 63 bits
    word[1] += rest;
    bool carry = word[1] < rest;
    for (std::uint64_t* next = word + 2; carry && next < words_.data() + words_.size(); ++next) carry = ++*next == 0;
  }

  Words words_{};
};

/// The mean of |x| over finite values, 0 if there are none. Class: exact, in any order.
[[nodiscard]] inline float mean_abs(std::span<const float> values) {
  if (values.empty()) return 0.0f;
  ExactSum sum;
  sum.add(values.data(), static_cast<Index>(values.size()));
  return static_cast<float>(sum.value() / static_cast<double>(values.size()));
}

}  // namespace halfstep::inline HALFSTEP_ABI
