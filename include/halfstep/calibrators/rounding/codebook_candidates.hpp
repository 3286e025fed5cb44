#pragma once

/// \file
/// Candidate sets: the few nearest words of each vector, among which a calibration chooses by weights that it learns.
///
///     soft(s) = sum_m r_sm * word(index_sm)        r = softmax(logits)
///
/// Source: VQ4DiT (Deng et al., 2024), section 3.3. The paper starts all ratios equal (logits 0); the published program
/// at ratios of inverse distances, `logit_m = log(d_last / (d_m + 1e-5))`, the last 0, which `distance_logits` gives.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/codebook.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// For each of `count` vectors its `number` nearest words and their Euclidean distances, `[count, number]`, nearest
/// first, the lower index first where distances are equal.
struct CodebookCandidates {
  Index count = 0;
  int number = 0;
  std::vector<std::uint8_t> index;
  std::vector<float> distance;  ///< not squared
};

/// The candidates of `count` vectors that lie side by side. Class: exact. Errors: a number that is not 1 to Words.
template <int Dim, int Words>
[[nodiscard]] CodebookCandidates candidates(const Codebook<Dim, Words>& codebook, const float* vectors, Index count,
                                            int number) {
  if (number < 1 || number > Words) raise("candidates", "number is ", number, ", expected 1 to ", Words);
  CodebookCandidates found{count, number, {}, {}};
  std::array<float, static_cast<std::size_t>(Words)> distance;
  std::array<std::uint8_t, static_cast<std::size_t>(Words)> order;
  for (Index i = 0; i < count; ++i) {
    VectorLanes<Dim, float> x;
    std::copy_n(vectors + i * Dim, Dim, x.begin());
    for (int c = 0; c < Words; ++c) {
      const float d = squared_distance(codebook.word(c), x);
      distance[static_cast<std::size_t>(c)] = simd::is_nan(d) ? std::numeric_limits<float>::infinity() : d;
    }
    std::iota(order.begin(), order.end(), std::uint8_t{0});
    std::partial_sort(order.begin(), order.begin() + number, order.end(), [&](std::uint8_t a, std::uint8_t b) {
      return distance[a] < distance[b] || (distance[a] == distance[b] && a < b);
    });
    for (int m = 0; m < number; ++m) {
      const std::uint8_t c = order[static_cast<std::size_t>(m)];
      found.index.push_back(c);
      found.distance.push_back(std::sqrt(distance[c]));
    }
  }
  return found;
}

/// The published starting logits, `[count, number]`: `log(max(d_last, 1e-5) / (d_m + 1e-5))`, the last of each vector
/// 0. The floor keeps duplicate words, at distance 0, from logits of minus infinity. Class: bounded (a library
/// logarithm).
[[nodiscard]] inline std::vector<float> distance_logits(const CodebookCandidates& candidates) {
  constexpr float floor = 1e-5f;
  const auto number = static_cast<std::size_t>(candidates.number);
  std::vector<float> logits(candidates.distance.size(), 0.0f);
  for (std::size_t first = 0; first < logits.size(); first += number) {
    const float last = std::max(candidates.distance[first + number - 1], floor);
    for (std::size_t m = first; m + 1 < first + number; ++m) {
      logits[m] = std::log(last / (candidates.distance[m] + floor));
    }
  }
  return logits;
}

/// The mixtures of candidates under `logits` `[count, number]`, `count` vectors side by side. Class: bounded. Errors:
/// another number of logits.
template <int Dim, int Words>
[[nodiscard]] std::vector<float> soft_vectors(const Codebook<Dim, Words>& codebook,
                                              const CodebookCandidates& candidates, std::span<const float> logits) {
  if (logits.size() != candidates.index.size()) {
    raise("soft_vectors", "logits has ", logits.size(), " entries, expected ", candidates.index.size());
  }
  const auto number = static_cast<std::size_t>(candidates.number);
  std::vector<float> soft(static_cast<std::size_t>(candidates.count) * static_cast<std::size_t>(Dim));
  std::vector<double> ratio(number);
  for (std::size_t s = 0; s < static_cast<std::size_t>(candidates.count); ++s) {
    const std::span<const float> z = logits.subspan(s * number, number);
    const float largest = *std::max_element(z.begin(), z.end());
    double total = 0;
    for (std::size_t m = 0; m < number; ++m) {
      ratio[m] = std::exp(static_cast<double>(z[m]) - static_cast<double>(largest));
      total += ratio[m];
    }
    for (std::size_t j = 0; j < static_cast<std::size_t>(Dim); ++j) {
      double sum = 0;
      for (std::size_t m = 0; m < number; ++m) {
        sum += ratio[m] / total * static_cast<double>(codebook.word(candidates.index[s * number + m])[j]);
      }
      soft[s * static_cast<std::size_t>(Dim) + j] = static_cast<float>(sum);
    }
  }
  return soft;
}

}  // namespace halfstep::inline HALFSTEP_ABI
