#pragma once

/// \file
/// What a quantizer does to values, as a sum of squared errors.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The sum of `part(begin, end)` over numbered chunks of `count` elements, added in the order of the chunks: the same
/// bits for every executor.
[[nodiscard]] inline double chunked_sum(ExecutorRef executor, Index count, Index chunk_size,
                                        FunctionRef<double(Index begin, Index end)> part) {
  if (count <= chunk_size) return part(0, count);
  std::vector<double> parts(static_cast<std::size_t>(chunk_count(count, chunk_size)));
  parallel_chunks(executor, count, chunk_size, [&](Index chunk, Index begin, Index end) {
    parts[static_cast<std::size_t>(chunk)] = part(begin, end);
  });
  double sum = 0;
  for (const double value : parts) sum += value;
  return sum;
}

/// Partial sums in a fixed number of columns, whatever the width of a batch, added up in one order.
class ColumnSums {
 public:
  static constexpr std::size_t width = 16;
  static_assert(width % simd::batch_lanes == 0);

  /// Adds `errors[j]^2` to column j. A squared float is exact in double, so a fused multiply-add changes nothing.
  void add(const float (&errors)[width]) {
    for (std::size_t j = 0; j < width; ++j) sums_[j] += static_cast<double>(errors[j]) * static_cast<double>(errors[j]);
  }
  /// Adds `weights[j] * errors[j]^2` to column j, the square cut to 29 significant bits (4e-9 of itself): times the 24
  /// bits of a float it is exact again.
  void add(const float (&errors)[width], const float* weights) {
    constexpr std::uint64_t kept = ~std::uint64_t{0} << 24;
    for (std::size_t j = 0; j < width; ++j) {
      const double square = static_cast<double>(errors[j]) * static_cast<double>(errors[j]);
      sums_[j] += static_cast<double>(weights[j]) * std::bit_cast<double>(std::bit_cast<std::uint64_t>(square) & kept);
    }
  }

  [[nodiscard]] double total() const {
    double sums[width];
    for (std::size_t j = 0; j < width; ++j) sums[j] = sums_[j];
    for (std::size_t half = width / 2; half > 0; half /= 2) {
      for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
    }
    return sums[0];
  }

 private:
  double sums_[width] = {};
};

/// `errors[j] = x[j] - q.decode(q.encode(x[j]))` for j < `count` <= 16, 0 beyond. The decoded value is rounded to a
/// float before it is taken from x, on every compiler.
template <ScalarQuantizer Q>
void quantization_errors(const Q& q, const float* x, std::size_t count, float (&errors)[ColumnSums::width]) {
  if (count == ColumnSums::width) {
    for (std::size_t j = 0; j < ColumnSums::width; j += simd::batch_lanes) {
      const auto value = simd::load<simd::FloatBatch>(x + j);
      simd::store(errors + j, value - simd::pinned(q.decode(q.encode(value))));
    }
    return;
  }
  for (std::size_t j = 0; j < ColumnSums::width; ++j) {
    errors[j] = j < count ? x[j] - simd::pinned(q.decode(q.encode(x[j]))) : 0.0f;
  }
}

/// The sum of `(x - q.decode(q.encode(x)))^2` over finite values, in double: errors are float differences, their
/// squares exact, their sum over numbered chunks. Class: ordered, for any executor.
template <ScalarQuantizer Q>
[[nodiscard]] double squared_error(const Q& q, std::span<const float> values, ExecutorRef executor = {}) {
  constexpr Index chunk = Index{1} << 14;
  constexpr auto width = static_cast<Index>(ColumnSums::width);
  return chunked_sum(executor, static_cast<Index>(values.size()), chunk, [&](Index begin, Index end) {
    ColumnSums sums;
    float errors[ColumnSums::width];
    for (Index i = begin; i < end; i += width) {
      quantization_errors(q, values.data() + i, static_cast<std::size_t>(end - i < width ? end - i : width), errors);
      sums.add(errors);
    }
    return sums.total();
  });
}

/// A candidate and its squared error.
template <ScalarQuantizer Q>
struct LeastSquaredError {
  Q quantizer;
  double error = 0;
};

/// The first of the candidates of least `squared_error` for `values`. There must be a candidate. Class: ordered, for
/// any executor.
template <ScalarQuantizer Q>
[[nodiscard]] LeastSquaredError<Q> least_squared_error(const std::vector<Q>& candidates, std::span<const float> values,
                                                       ExecutorRef executor = {}) {
  LeastSquaredError<Q> best{candidates.front(), squared_error(candidates.front(), values, executor)};
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    const double error = squared_error(candidates[i], values, executor);
    if (error < best.error) best = {candidates[i], error};
  }
  return best;
}

/// The sum of `weights[i] * (x[i] - q.decode(q.encode(x[i])))^2`; both arrays have a multiple of 16 elements, which the
/// caller pads with weight 0. Class: ordered.
template <ScalarQuantizer Q>
[[nodiscard]] double weighted_squared_error(const Q& q, std::span<const float> values, std::span<const float> weights) {
  ColumnSums sums;
  float errors[ColumnSums::width];
  for (std::size_t i = 0; i < values.size(); i += ColumnSums::width) {
    quantization_errors(q, values.data() + i, ColumnSums::width, errors);
    sums.add(errors, weights.data() + i);
  }
  return sums.total();
}

}  // namespace halfstep::inline HALFSTEP_ABI
