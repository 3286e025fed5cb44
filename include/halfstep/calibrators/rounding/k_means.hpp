#pragma once

/// \file
/// Codebooks by k-means: the nearest word of each vector, the mean of each word's vectors, over and over.
///
/// Sources: VQ4DiT (Deng et al., 2024), section 3.2; GPTVQ (van Baalen et al., 2024), section 3.2. The published
/// program of VQ4DiT returns the codes that it had before it moved the words a last time; here they are made again.

#include "halfstep/calibrators/rounding/k_means_seeds.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/encode_vectors.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/codebook.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Where k-means starts.
enum class Seeding { plus_plus, mahalanobis };

/// What becomes of a word without vectors: the zero vector, as in the published programs, or the vector that is
/// farthest from its own word.
enum class EmptyWord { zero, farthest_vector };

/// How k-means is run.
struct KMeansOptions {
  int iterations = 100;  ///< at most: fewer where no code changes any more
  int words = 0;         ///< 0: as many as the codebook has, but `words_for` the vectors that there are
  Seeding seeding = Seeding::plus_plus;
  std::uint64_t seed = 0;  ///< of the random numbers of plus_plus
  EmptyWord empty_word = EmptyWord::zero;
  VectorView column_weights = {};  ///< `[cols]`, at least 0: what a squared error in a column counts; empty: 1
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< told of iterations; may cancel
};

/// A codebook, and what it makes of the vectors that it was made for.
template <int Dim, int Words>
struct KMeansResult {
  Codebook<Dim, Words> codebook;
  std::vector<std::uint8_t> codes;  ///< nearest words under `codebook`
  int words = 0;                    ///< how many words were used; those behind them repeat the first
  int iterations = 0;               ///< how many were run
  bool is_complete = true;          ///< false: the progress callback stopped it; the words that were reached
};

/// `count` vectors side by side; vector i has the weights `weights + i % period * Dim`, or none.
struct VectorSamples {
  const float* values = nullptr;
  Index count = 0;
  const float* weights = nullptr;
  Index period = 1;
};

/// The k-means iteration over given vectors. One object holds the scratch memory of a run.
template <int Dim, int Words>
class KMeans {
 public:
  KMeans(const VectorSamples& samples, int words, EmptyWord empty_word, ExecutorRef executor)
      : samples_(samples),
        words_(words),
        empty_word_(empty_word),
        executor_(executor),
        codes_(static_cast<std::size_t>(samples.count)) {}

  /// The codes of the last `assign`.
  [[nodiscard]] const std::vector<std::uint8_t>& codes() const { return codes_; }
  [[nodiscard]] std::vector<std::uint8_t> take_codes() { return std::move(codes_); }

  /// Gives each vector its nearest word. Returns whether any code changed. Class: exact.
  bool assign(const Codebook<Dim, Words>& codebook) {
    std::vector<std::uint8_t> before = codes_;
    parallel_for(executor_, samples_.count, band_grain(Dim * words_), [&](Index begin, Index end) {
      for_each_vector_batch<Dim>(samples_.values + begin * Dim, end - begin, [&](Index i, Index part, const auto& x) {
        simd::store_bytes_tail(codes_.data() + begin + i, encode(codebook, x, begin + i, part),
                               static_cast<std::size_t>(part));
      });
    });
    return before != codes_;
  }

  /// Moves each word to the weighted mean of its vectors. Sums are double, over chunks of 4096 vectors, chunk after
  /// chunk. Class: ordered.
  void update(Codebook<Dim, Words>& codebook) const {
    constexpr Index chunk_size = 4096;
    std::vector<Sums> parts(static_cast<std::size_t>(chunk_count(samples_.count, chunk_size)));
    parallel_chunks(executor_, samples_.count, chunk_size, [&](Index chunk, Index begin, Index end) {
      Sums& sums = parts[static_cast<std::size_t>(chunk)];
      sums.resize(words_);
      for (Index i = begin; i < end; ++i) add(sums, i);
    });
    Sums all;
    all.resize(words_);
    for (const Sums& part : parts) all.merge(part);
    std::vector<Index> taken;
    for (int c = 0; c < words_; ++c) {
      const auto at = static_cast<std::size_t>(c);
      float* const word = codebook.word(c);
      for (std::size_t j = 0; j < static_cast<std::size_t>(Dim); ++j) {
        const double weight = all.weight[at][j];
        word[j] = weight > 0 ? static_cast<float>(all.sum[at][j] / weight) : 0.0f;
      }
      if (all.members[at] == 0 && empty_word_ == EmptyWord::farthest_vector) refill(codebook, c, taken);
    }
  }

 private:
  using Vector = std::array<double, static_cast<std::size_t>(Dim)>;

  struct Sums {
    std::vector<Vector> sum, weight;
    std::vector<Index> members;
    void resize(int words) {
      sum.resize(static_cast<std::size_t>(words));
      weight.resize(sum.size());
      members.resize(sum.size());
    }
    void merge(const Sums& other) {
      for (std::size_t c = 0; c < sum.size(); ++c) {
        members[c] += other.members[c];
        for (std::size_t j = 0; j < sum[c].size(); ++j) {
          sum[c][j] += other.sum[c][j];
          weight[c][j] += other.weight[c][j];
        }
      }
    }
  };

  [[nodiscard]] const float* weights_of(Index i) const { return samples_.weights + i % samples_.period * Dim; }

  void add(Sums& sums, Index i) const {
    const std::size_t c = codes_[static_cast<std::size_t>(i)];
    const float* const x = samples_.values + i * Dim;
    ++sums.members[c];
    for (std::size_t j = 0; j < static_cast<std::size_t>(Dim); ++j) {
      const double h = samples_.weights != nullptr ? static_cast<double>(weights_of(i)[j]) : 1.0;
      sums.sum[c][j] += simd::pinned(h * static_cast<double>(x[j]));
      sums.weight[c][j] += h;
    }
  }

  /// The codes of `part` vectors from vector `first` on.
  [[nodiscard]] simd::IntBatch encode(const Codebook<Dim, Words>& codebook, const VectorLanes<Dim, simd::FloatBatch>& x,
                                      Index first, Index part) const {
    using simd::FloatBatch;
    if (samples_.weights == nullptr) {
      return nearest_words<FloatBatch, 1>(words_,
                                          [&](int c, std::size_t) { return squared_distance(codebook.word(c), x); })[0];
    }
    std::array<float, simd::batch_lanes* static_cast<std::size_t>(Dim)> held{};
    for (Index i = 0; i < part; ++i) std::copy_n(weights_of(first + i), Dim, held.data() + i * Dim);
    const auto h = load_vectors<Dim>(held.data());
    return nearest_words<FloatBatch, 1>(
        words_, [&](int c, std::size_t) { return squared_distance(codebook.word(c), x, h); })[0];
  }

  /// Puts word c where the vector is that is farthest from its own word, of those not taken yet; the first of equal
  /// ones.
  void refill(Codebook<Dim, Words>& codebook, int c, std::vector<Index>& taken) const {
    Index farthest = -1;
    float largest = 0;
    for (Index i = 0; i < samples_.count; ++i) {
      VectorLanes<Dim, float> x, h;
      std::copy_n(samples_.values + i * Dim, Dim, x.begin());
      if (samples_.weights != nullptr) std::copy_n(weights_of(i), Dim, h.begin());
      const float* const own = codebook.word(codes_[static_cast<std::size_t>(i)]);
      const float d = samples_.weights != nullptr ? squared_distance(own, x, h) : squared_distance(own, x);
      if (!(d > largest) || std::find(taken.begin(), taken.end(), i) != taken.end()) continue;
      largest = d;
      farthest = i;
    }
    if (farthest < 0) return;  // every vector is its own word
    taken.push_back(farthest);
    std::copy_n(samples_.values + farthest * Dim, Dim, codebook.word(c));
  }

  VectorSamples samples_;
  int words_;
  EmptyWord empty_word_;
  ExecutorRef executor_;
  std::vector<std::uint8_t> codes_;
};

/// Refuses options and data that k-means cannot use.
template <int Dim, int Words>
void require_k_means(Shape shape, const KMeansOptions& options) {
  require_whole_vectors("k_means", shape.cols, Dim);
  if (shape.rows == 0 || shape.cols == 0) raise("k_means", "matrix has shape ", shape, ", expected vectors");
  if (options.iterations < 0) raise("k_means", "iterations is ", options.iterations, ", expected at least 0");
  if (options.words < 0 || options.words > Words) {
    raise("k_means", "words is ", options.words, ", expected 0 to ", Words);
  }
  const VectorView weights = options.column_weights;
  if (weights.empty()) return;
  if (weights.size != shape.cols) {
    raise("k_means", "column_weights has ", weights.size, " entries, matrix has ", shape.cols, " columns");
  }
  for (Index c = 0; c < weights.size; ++c) {
    if (is_finite_bits(weights[c]) && weights[c] >= 0) continue;
    raise("k_means", "column_weights of column ", c, " is ", weights[c], ", expected at least 0");
  }
}

/// The words at `seeds`; those behind them repeat the first, so that they get no codes.
template <int Dim, int Words>
[[nodiscard]] Codebook<Dim, Words> codebook_of_seeds(const float* vectors, const std::vector<Index>& seeds) {
  Codebook<Dim, Words> codebook;
  for (int c = 0; c < Words; ++c) {
    const std::size_t at = c < static_cast<int>(seeds.size()) ? static_cast<std::size_t>(c) : 0;
    std::copy_n(vectors + seeds[at] * Dim, Dim, codebook.word(c));
  }
  return codebook;
}

/// Iterates from `start`, of whose words the first `words` take part. Class: ordered.
template <int Dim, int Words>
[[nodiscard]] KMeansResult<Dim, Words> k_means_from(const Codebook<Dim, Words>& start, int words,
                                                    const VectorSamples& samples, const KMeansOptions& options) {
  KMeansResult<Dim, Words> result{start, {}, words, 0};
  KMeans<Dim, Words> run(samples, words, options.empty_word, options.executor);
  bool is_settled = false;
  while (result.iterations < options.iterations && !is_settled) {
    is_settled = !run.assign(result.codebook) && result.iterations > 0;
    run.update(result.codebook);
    ++result.iterations;
    if (!options.progress || options.progress({result.iterations, options.iterations})) continue;
    result.is_complete = is_settled || result.iterations == options.iterations;
    break;
  }
  for (int c = words; c < Words; ++c) std::copy_n(result.codebook.word(0), Dim, result.codebook.word(c));
  run.assign(result.codebook);
  result.codes = run.take_codes();
  return result;
}

/// The codebook of `matrix` `[rows, cols]` for vectors of `Dim` consecutive columns, fitted to all of them. Distances
/// are those of `Codebook`; the codes that are returned belong to the codebook that is. Costs iterations * rows * cols
/// * words products. Class: ordered, for any executor.
///
/// Errors: columns that vectors do not fill; no vectors; an element that is not finite, by position; options out of
/// range.
///
///     const auto fitted = k_means<4, 256>(w, {.seed = 1});
///     const auto codes = quantize_vectors<Codebook<4, 256>>(w, {fitted.codebook});
template <int Dim, int Words, Viewable M>
[[nodiscard]] KMeansResult<Dim, Words> k_means(const M& matrix, const KMeansOptions& options = {}) {
  const auto source = view(matrix);
  require_readable("k_means", "matrix", source);
  require_k_means<Dim, Words>(shape_of(source), options);
  require_finite("k_means", "matrix", source, options.executor);
  std::vector<float> values(static_cast<std::size_t>(source.size()));
  copy_rows(source, values.data());
  const VectorSamples samples{values.data(), source.size() / Dim, options.column_weights.data, source.cols / Dim};
  const int words = options.words > 0 ? options.words : words_for(Words, samples.count);
  const std::vector<Index> seeds =
      options.seeding == Seeding::mahalanobis
          ? mahalanobis_seeds<Dim>(samples.values, samples.count, words)
          : plus_plus_seeds<Dim>(samples.values, samples.count, words, Random(options.seed), options.executor);
  return k_means_from(codebook_of_seeds<Dim, Words>(samples.values, seeds), words, samples, options);
}

}  // namespace halfstep::inline HALFSTEP_ABI
