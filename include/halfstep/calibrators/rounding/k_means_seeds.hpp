#pragma once

/// \file
/// Where k-means starts: words of a codebook chosen among the vectors that it is made for.
///
/// Vectors are `[count, Dim]` floats side by side, as the rows of a weight are when they are cut into pieces of `Dim`.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/kernels/encode_vectors.hpp"
#include "halfstep/quantizers/codebook.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How many words a codebook of at most `words` words gets for `count` vectors: at most the largest power of two that
/// leaves 4 vectors to a word, and at least one. Source: VQ4DiT, published program.
[[nodiscard]] constexpr int words_for(int words, Index count) {
  const Index most = static_cast<Index>(std::bit_floor(static_cast<std::uint64_t>(std::max(Index{1}, count / 4))));
  return static_cast<int>(std::min(static_cast<Index>(words), most));
}

/// Lowers `nearest[i]` to the squared distance of vector i to vector `seed`, where that is less.
template <int Dim>
void note_seed(const float* vectors, Index count, Index seed, float* nearest, ExecutorRef executor) {
  parallel_for(executor, count, band_grain(4 * Dim), [&](Index begin, Index end) {
    for_each_vector_batch<Dim>(vectors + begin * Dim, end - begin, [&](Index i, Index part, const auto& batch) {
      const simd::FloatBatch distance = squared_distance(vectors + seed * Dim, batch);
      float* const to = nearest + begin + i;
      const auto rest = static_cast<std::size_t>(part);
      simd::store_tail(to, simd::min(distance, simd::load_tail<simd::FloatBatch>(to, rest)), rest);
    });
  });
}

/// The vector that `u` in [0, 1) picks with a probability proportional to its squared distance: the first i whose
/// running sum of `nearest` exceeds `u * total`. The last one with a distance where rounding leaves none; `fallback`
/// where all distances are 0.
[[nodiscard]] inline Index draw_by_distance(const std::vector<float>& nearest, double u, Index fallback) {
  double total = 0;
  for (const float distance : nearest) total += static_cast<double>(distance);
  const double wanted = simd::pinned(u * total);
  double sum = 0;
  Index last = fallback;
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    sum += static_cast<double>(nearest[i]);
    if (nearest[i] > 0) last = static_cast<Index>(i);
    if (sum > wanted) return static_cast<Index>(i);
  }
  return last;
}

/// The k-means++ seeds of `count` vectors: `first`, then each by its squared distance to the nearest seed so far,
/// `uniform(n)` in [0, 1) deciding on seed n. Distances are float, their sums double in the order of the vectors. Where
/// there are fewer different vectors than words, `first` is repeated. Costs words * count distances. Class: exact, for
/// any executor.
///
/// Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
template <int Dim>
[[nodiscard]] std::vector<Index> plus_plus_seeds(const float* vectors, Index count, int words, Index first,
                                                 FunctionRef<double(int)> uniform, ExecutorRef executor = {}) {
  if (first < 0 || first >= count) {
    raise("plus_plus_seeds", "first is ", first, ", expected one of the ", count, " vectors");
  }
  std::vector<float> nearest(static_cast<std::size_t>(count), std::numeric_limits<float>::infinity());
  std::vector<Index> seeds{first};
  while (static_cast<int>(seeds.size()) < words) {
    note_seed<Dim>(vectors, count, seeds.back(), nearest.data(), executor);
    seeds.push_back(draw_by_distance(nearest, uniform(static_cast<int>(seeds.size())), first));
  }
  return seeds;
}

/// The same from the library's random numbers: position 0 chooses the first seed, position n seed n.
template <int Dim>
[[nodiscard]] std::vector<Index> plus_plus_seeds(const float* vectors, Index count, int words, const Random& random,
                                                 ExecutorRef executor = {}) {
  if (count < 1) raise("plus_plus_seeds", "there are no vectors");
  const auto first = static_cast<Index>(random.uniform_double(0) * static_cast<double>(count));
  return plus_plus_seeds<Dim>(
      vectors, count, words, std::min(first, count - 1),
      [&](int n) { return random.uniform_double(static_cast<std::uint64_t>(n)); }, executor);
}

/// The scatter matrix of the vectors around their mean, in Cholesky form, `[Dim, Dim]` lower, and the mean.
template <int Dim>
struct ScatterFactor {
  std::array<double, static_cast<std::size_t>(Dim)> mean{};
  std::array<std::array<double, static_cast<std::size_t>(Dim)>, static_cast<std::size_t>(Dim)> lower{};

  ScatterFactor(const float* vectors, Index count) {
    constexpr auto dim = static_cast<std::size_t>(Dim);
    for (Index i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < dim; ++j) mean[j] += static_cast<double>(vectors[i * Dim + static_cast<Index>(j)]);
    }
    for (double& m : mean) m /= static_cast<double>(count);
    for (Index i = 0; i < count; ++i) {
      const auto d = deviation(vectors + i * Dim);
      for (std::size_t a = 0; a < dim; ++a) {
        for (std::size_t b = 0; b <= a; ++b) lower[a][b] += simd::pinned(d[a] * d[b]);
      }
    }
    factorize();
  }

  [[nodiscard]] auto deviation(const float* x) const {
    std::array<double, static_cast<std::size_t>(Dim)> d;
    for (std::size_t j = 0; j < d.size(); ++j) d[j] = static_cast<double>(x[j]) - mean[j];
    return d;
  }

  /// `(x - mean)^T S^-1 (x - mean)`; a direction in which the vectors do not differ adds nothing.
  [[nodiscard]] double squared_length(const float* x) const {
    auto d = deviation(x);
    double sum = 0;
    for (std::size_t a = 0; a < d.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) d[a] -= simd::pinned(lower[a][b] * d[b]);
      d[a] = lower[a][a] > 0 ? d[a] / lower[a][a] : 0.0;
      sum += simd::pinned(d[a] * d[a]);
    }
    return sum;
  }

 private:
  void factorize() {
    for (std::size_t a = 0; a < lower.size(); ++a) {
      const double variance = lower[a][a];
      for (std::size_t b = 0; b <= a; ++b) {
        double sum = lower[a][b];
        for (std::size_t c = 0; c < b; ++c) sum -= simd::pinned(lower[a][c] * lower[b][c]);
        if (a == b) {
          lower[a][a] = sum > 1e-12 * variance ? std::sqrt(sum) : 0.0;
        } else {
          lower[a][b] = lower[b][b] > 0 ? sum / lower[b][b] : 0.0;
        }
      }
    }
  }
};

/// Seeds spread evenly over the vectors in the order of their Mahalanobis distance from the mean: ranks
/// `rne(linspace(0, count - 1, words))`, equal distances by position. All sums are double. Without random numbers.
/// Class: ordered. Source: GPTVQ (van Baalen et al., 2024), section 3.2, published program.
template <int Dim>
[[nodiscard]] std::vector<Index> mahalanobis_seeds(const float* vectors, Index count, int words) {
  if (count < 1) raise("mahalanobis_seeds", "there are no vectors");
  const ScatterFactor<Dim> scatter(vectors, count);
  std::vector<double> length(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) length[static_cast<std::size_t>(i)] = scatter.squared_length(vectors + i * Dim);
  std::vector<Index> order(length.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    return length[static_cast<std::size_t>(a)] < length[static_cast<std::size_t>(b)];
  });
  std::vector<Index> seeds;
  for (int n = 0; n < words; ++n) {
    const double rank = words == 1 ? 0.0 : static_cast<double>(n) * static_cast<double>(count - 1) / (words - 1);
    seeds.push_back(order[static_cast<std::size_t>(std::nearbyint(rank))]);
  }
  return seeds;
}

}  // namespace halfstep::inline HALFSTEP_ABI
