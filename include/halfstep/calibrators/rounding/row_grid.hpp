#pragma once

/// \file
/// The grids on which rows of a weight are rounded: how the quantizer of each granule is chosen, and the bulk of rows
/// that share a column.

#include "halfstep/calibrators/range/range_choice.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/row_range.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale_storage.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/exp.hpp"
#include "halfstep/simd/log.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How the range of a granule is chosen.
enum class GridRange {
  min_max,    ///< that of the weights
  mse,        ///< GPTQ's search: both ends shrunk together, least sum of |error|^2.4 in the weights
  objective,  ///< both ends times one factor per row, the one with which the method's own objective ends least
};

/// The sum of |(x - q.decode(q.encode(x))) * unit|^2.4, in double over floats. `unit`, a power of two, brings errors to
/// where a power of 2.4 is a float. Class: ordered.
template <ScalarQuantizer Q>
[[nodiscard]] double error_of_power_2_4(const Q& q, std::span<const float> values, float unit) {
  constexpr std::size_t width = ColumnSums::width;
  double sums[width] = {};
  float errors[width], powers[width];
  for (std::size_t i = 0; i < values.size(); i += width) {
    quantization_errors(q, values.data() + i, std::min(width, values.size() - i), errors);
    for (std::size_t j = 0; j < width; j += simd::batch_lanes) {
      const simd::FloatBatch error = simd::abs(simd::load<simd::FloatBatch>(errors + j) * unit);
      simd::store(powers + j, simd::exp2(simd::pinned(simd::log2(error) * 2.4f)));
    }
    for (std::size_t j = 0; j < width; ++j) sums[j] += static_cast<double>(powers[j]);
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

/// GPTQ's range search over the values of one granule, of range `whole`: both ends times 1 - i/100, i < 80; least sum
/// of |error|^2.4, of equals the widest. Class: ordered. Source: Frantar et al., GPTQ, ICLR 2023, published quantizer.
template <ScalarQuantizer Q>
[[nodiscard]] Q shrunk_range_fit(std::span<const float> values, const Range& whole, FunctionRef<Q(const Range&)> fit) {
  const float unit = simd::power_of_two(simd::clamp(-simd::exponent(absmax(whole)), -126, 126));
  BestRange<Q> search;
  for (int i = 0; i < 80; ++i) {
    const auto factor = static_cast<float>(1.0 - i / 100.0);
    const Range range{whole.min * factor, whole.max * factor, whole.mean_abs};
    const Q q = fit(range);
    search.offer(q, range, error_of_power_2_4(q, values, unit));
  }
  return search.best().quantizer;
}

/// The range of some values, mean of |x| included where `Q` reads it.
template <ScalarQuantizer Q>
[[nodiscard]] Range range_of_values(std::span<const float> values) {
  RunningRange range;
  const auto count = static_cast<Index>(values.size());
  static_cast<void>(widen(range, values.data(), count));
  if constexpr (reads_mean_abs<Q>()) add_abs(range, values.data(), count);
  return range.range();
}

/// What chooses the quantizer of a granule, for all granules of a weight alike.
template <ScalarQuantizer Q>
struct GranuleFit {
  FunctionRef<Q(const Range&)> rule;
  GridRange range = GridRange::min_max;
  ScaleStorage scale_storage = ScaleStorage::f32;

  /// The quantizer of these values, its scale as it is stored. `factor` is for `GridRange::objective`.
  [[nodiscard]] Q operator()(std::span<const float> values, float factor) const {
    const Range whole = range_of_values<Q>(values);
    if (range == GridRange::mse) return with_stored_scale(shrunk_range_fit<Q>(values, whole, rule), scale_storage);
    return with_stored_scale(rule({whole.min * factor, whole.max * factor, whole.mean_abs * factor}), scale_storage);
  }
};

/// Some rows of a weight, each with one quantizer per group of columns.
template <ScalarQuantizer Q>
class RowGrid {
 public:
  RowGrid(Index rows, Index groups) : rows_(rows), groups_(groups), quantizers_(size(rows, groups)) {}

  [[nodiscard]] Index groups() const { return groups_; }
  [[nodiscard]] Q& at(Index row, Index group) {
    return quantizers_[size(row, groups_) + static_cast<std::size_t>(group)];
  }

  /// Rounds column values of the rows from `first` on: `codes[r]` and the `values[r]` that they stand for. Lanes beyond
  /// the last row get 0.
  void round(Index first, Index lanes, Index group, const float* x, float* values, std::uint8_t* codes) {
    for (Index r = 0; r < lanes; ++r) {
      if (first + r >= rows_) {
        values[r] = 0;
        codes[r] = 0;
        continue;
      }
      const Q& q = at(first + r, group);
      const std::int32_t code = q.encode(x[r]);
      values[r] = q.decode(code);
      codes[r] = static_cast<std::uint8_t>(code);
    }
  }

  /// What codes of the rows from `first` on stand for.
  void decode(Index first, Index lanes, Index group, const std::uint8_t* codes, float* values) {
    for (Index r = 0; r < lanes; ++r) {
      values[r] = first + r < rows_ ? at(first + r, group).decode(std::int32_t{codes[r]}) : 0.0f;
    }
  }

  /// Replaces a row by that of another grid of the same rows.
  void take_row(RowGrid& other, Index row) {
    for (Index g = 0; g < groups_; ++g) at(row, g) = other.at(row, g);
  }

 private:
  static std::size_t size(Index rows, Index groups) { return static_cast<std::size_t>(rows * groups); }

  Index rows_, groups_;
  std::vector<Q> quantizers_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
