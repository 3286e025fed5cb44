#pragma once

/// \file
/// Vector codebooks: one code for `Dim` consecutive values, the nearest of a table of codewords.
///
///     code  = the word c with the least distance  sum_j (x_j - w_cj)^2;  of equal ones, the lowest
///     value = w_code
///
/// Distances are sums of squared differences, j ascending, every operation rounded to float by itself. The shorter form
/// |x|^2 - 2 x w + |w|^2 cancels: it makes 1e-4 of the distance 0 of a vector that is a codeword. Comparing each word
/// with the best so far by `<` is what gives ties to the lowest index, and a batch compares as many vectors at once as
/// it has lanes, so it takes the same decisions in the same order: codes are exact on every instruction set.
///
/// Sources: VQ4DiT (Deng et al., 2024), GPTVQ (van Baalen et al., 2024).

#include "halfstep/config.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/vector_quantizer.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// `sum_j (x_j - word_j)^2`. Class: exact.
template <std::size_t Dim, simd::FloatLanes T>
[[nodiscard]] T squared_distance(const float* word, const std::array<T, Dim>& x) {
  T sum(0.0f);
  for (std::size_t j = 0; j < Dim; ++j) {
    const T difference = x[j] - T(word[j]);
    const T square = simd::pinned(difference * difference);
    sum = j == 0 ? square : sum + square;
  }
  return sum;
}

/// `sum_j h_j (x_j - word_j)^2`. Class: exact.
template <std::size_t Dim, simd::FloatLanes T>
[[nodiscard]] T squared_distance(const float* word, const std::array<T, Dim>& x, const std::array<T, Dim>& h) {
  T sum(0.0f);
  for (std::size_t j = 0; j < Dim; ++j) {
    const T difference = x[j] - T(word[j]);
    const T square = simd::pinned(h[j] * simd::pinned(difference * difference));
    sum = j == 0 ? square : sum + square;
  }
  return sum;
}

/// For each n below N the first of the words 0 .. `count` - 1 whose distance, `distance(word, n)`, is the least; 0
/// where none is below infinity. Several n at a time read each word once. Class: exact.
template <simd::FloatLanes T, std::size_t N, class Distance>
[[nodiscard]] std::array<simd::IntOf<T>, N> nearest_words(int count, Distance distance) {
  using I = simd::IntOf<T>;
  std::array<T, N> least;
  std::array<I, N> code;
  least.fill(T(std::numeric_limits<float>::infinity()));
  code.fill(I(0));
  I index(0);
  for (int word = 0; word < count; ++word, index += I(1)) {
    for (std::size_t n = 0; n < N; ++n) {
      const T d = distance(word, n);
      code[n] = simd::select(d < least[n], index, code[n]);
      least[n] = simd::min(d, least[n]);
    }
  }
  return code;
}

/// `Words` codewords of `Dim` floats each, 2 to 256 of 1 to 16.
///
/// Squares set limits: differences below about 2^-63 are no differences (the lowest such word is chosen), and a vector
/// that is farther than about 2^63 from every word, or has a value that is not finite, has the code 0. Scale a weight
/// that small or large first. Class: exact.
template <int Dim, int Words>
struct Codebook {
  static_assert(Dim >= 1 && Dim <= 16, "Codebook<Dim, Words>: Dim is 1 to 16");
  static_assert(Words >= 2 && Words <= 256, "Codebook<Dim, Words>: Words is 2 to 256");
  static constexpr int dim = Dim;
  static constexpr int words = Words;
  static constexpr int bits = std::bit_width(static_cast<unsigned>(Words - 1));
  static constexpr std::size_t size = static_cast<std::size_t>(Dim) * Words;

  std::array<float, size> values{};  ///< word by word

  friend bool operator==(const Codebook&, const Codebook&) = default;

  /// The `Dim` values of word `code` < Words.
  [[nodiscard]] const float* word(std::int32_t code) const {
    return values.data() + static_cast<std::size_t>(code) * Dim;
  }
  [[nodiscard]] float* word(std::int32_t code) { return values.data() + static_cast<std::size_t>(code) * Dim; }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(const std::array<T, static_cast<std::size_t>(Dim)>& x) const {
    return nearest_words<T, 1>(Words, [&](int c, std::size_t) { return squared_distance(word(c), x); })[0];
  }

  /// The codes of N vectors, or N batches of them.
  template <std::size_t N, simd::FloatLanes T>
  [[nodiscard]] auto encode_several(const std::array<std::array<T, static_cast<std::size_t>(Dim)>, N>& x) const {
    return nearest_words<T, N>(Words, [&](int c, std::size_t n) { return squared_distance(word(c), x[n]); });
  }

  /// The nearest word where a squared difference of element j counts `h_j` >= 0 times.
  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(const std::array<T, static_cast<std::size_t>(Dim)>& x,
                            const std::array<T, static_cast<std::size_t>(Dim)>& h) const {
    return nearest_words<T, 1>(Words, [&](int c, std::size_t) { return squared_distance(word(c), x, h); })[0];
  }

  [[nodiscard]] VectorLanes<Dim, float> decode(std::int32_t code) const {
    VectorLanes<Dim, float> x;
    std::copy_n(word(std::min(code, Words - 1)), Dim, x.begin());
    return x;
  }
};

/// A codebook whose words are 8-bit integers times one scale: what kernels multiply without a float, and 4 times
/// smaller. Encodes to the nearest of the words as they decode. Class: exact.
template <int Dim, int Words>
struct Int8Codebook {
  static constexpr int dim = Dim;
  static constexpr int words = Words;
  static constexpr int bits = Codebook<Dim, Words>::bits;
  static constexpr std::size_t size = Codebook<Dim, Words>::size;

  float scale = 1;                         ///< positive
  std::array<std::int8_t, size> values{};  ///< word by word

  friend bool operator==(const Int8Codebook&, const Int8Codebook&) = default;

  /// The `Dim` integers of word `code` < Words.
  [[nodiscard]] const std::int8_t* word(std::int32_t code) const {
    return values.data() + static_cast<std::size_t>(code) * Dim;
  }

  /// The words as floats.
  [[nodiscard]] Codebook<Dim, Words> decoded() const {
    Codebook<Dim, Words> codebook;
    for (std::size_t i = 0; i < size; ++i) codebook.values[i] = static_cast<float>(values[i]) * scale;
    return codebook;
  }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(const std::array<T, static_cast<std::size_t>(Dim)>& x) const {
    return decoded().encode(x);
  }

  [[nodiscard]] VectorLanes<Dim, float> decode(std::int32_t code) const {
    VectorLanes<Dim, float> x;
    const std::int8_t* const from = word(std::min(code, Words - 1));
    for (std::size_t j = 0; j < x.size(); ++j) x[j] = static_cast<float>(from[j]) * scale;
    return x;
  }
};

/// The scale with which the words of a codebook fill 8 bits: the largest magnitude / 127, or 1 where all are 0.
template <int Dim, int Words>
[[nodiscard]] float int8_scale(const Codebook<Dim, Words>& codebook) {
  float largest = 0;
  for (const float value : codebook.values) largest = std::max(largest, simd::abs(value));
  return usable_scale(largest / 127);
}

/// The codebook in 8 bits: `clip(rne(w / scale), -128, 127)`, by default under its own scale. Words that were different
/// may become equal. Class: exact. Source: GPTVQ, section 3.3, published program.
template <int Dim, int Words>
[[nodiscard]] Int8Codebook<Dim, Words> to_int8(const Codebook<Dim, Words>& codebook, float scale) {
  Int8Codebook<Dim, Words> result;
  result.scale = scale;
  for (std::size_t i = 0; i < codebook.values.size(); ++i) {
    result.values[i] = static_cast<std::int8_t>(simd::round_clamp(codebook.values[i] / scale, -128.0f, 127.0f));
  }
  return result;
}
template <int Dim, int Words>
[[nodiscard]] Int8Codebook<Dim, Words> to_int8(const Codebook<Dim, Words>& codebook) {
  return to_int8(codebook, int8_scale(codebook));
}

}  // namespace halfstep::inline HALFSTEP_ABI
