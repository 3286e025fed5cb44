#pragma once

/// \file
/// What the observers of this folder share: one mergeable statistic per granule of a tiling, fed by batches.

#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/tiling.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Sums up runs of finite floats, and merges with another of its kind, exactly in any order.
template <class S>
concept MergeableStatistic = std::copyable<S> && requires(S& s, const S& other, const float* x) {
  s.add(x, Index{1});
  s.merge(other);
};

/// One `Statistic` per granule of a tiling, over any number of batches.
///
/// All batches have the same number of columns and, where the tiling cuts rows (per row, per group, per block), the
/// same number of rows; where a granule takes all rows (per tensor, per column), batches may have any number of them.
/// A batch that is refused changes nothing; one without elements says nothing. As the statistic merges exactly, the
/// result depends neither on the executor nor on the order of batches and merges.
template <MergeableStatistic Statistic>
class GranuleStatistics {
 public:
  explicit GranuleStatistics(Tiling tiling, Statistic empty = {})
      : tiling_(std::move(tiling)), empty_(std::move(empty)) {}

  /// What was seen before, of batches like the one of shape `shape`. Error: another number of statistics than the
  /// tiling gives granules.
  GranuleStatistics(std::string_view where, Tiling tiling, Shape shape, Statistic empty,
                    std::vector<Statistic> statistics)
      : tiling_(std::move(tiling)), empty_(std::move(empty)), granules_(std::move(statistics)), shape_(shape) {
    const Index count = granule_count(tiling_, shape);
    if (count > 0 && static_cast<Index>(granules_.size()) == count) return;
    raise(where, "there are statistics of ", granules_.size(), " granules, expected ", count, ", more than 0");
  }

  [[nodiscard]] const Tiling& tiling() const { return tiling_; }
  /// The shape of the last batch that had elements.
  [[nodiscard]] Shape shape() const { return shape_; }

  /// Adds `batch` in the name of the call `where`. Reads it twice: everything is checked before anything is added.
  template <class T>
  void observe(std::string_view where, const MatrixView<const T>& batch, ExecutorRef executor) {
    require_readable(where, "batch", batch);
    if (batch.empty()) return;
    require_shape(where, "batch", shape_of(batch));
    const TilingGrid grid(tiling_, shape_of(batch));
    require_finite(where, "batch", batch, executor);
    if (granules_.empty()) granules_.assign(static_cast<std::size_t>(grid.count()), empty_);
    shape_ = shape_of(batch);
    const GranuleBands bands(grid, batch.rows);
    if (bands.count() >= executor.concurrency()) {  // bands share no granule
      parallel_for(executor, bands.count(), band_grain(batch.size() / bands.count()), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) add_band(batch, grid, bands[i], first_of(bands[i], grid));
      });
    } else {
      for (Index i = 0; i < bands.count(); ++i) add_band_at_once(batch, grid, bands[i], executor);
    }
  }

  /// Adds what `other` has seen.
  void merge(std::string_view where, const GranuleStatistics& other) {
    if (!(tiling_ == other.tiling_)) raise(where, "other has another tiling");
    if (other.granules_.empty()) return;
    require_shape(where, "other", other.shape_);
    if (granules_.empty()) granules_.assign(other.granules_.size(), empty_);
    shape_ = other.shape_;
    for (std::size_t g = 0; g < granules_.size(); ++g) granules_[g].merge(other.granules_[g]);
  }

  /// The statistics, in granule order; refuses to give those of nothing.
  [[nodiscard]] const std::vector<Statistic>& observed(std::string_view where) const {
    if (granules_.empty()) raise(where, "no data was observed");
    return granules_;
  }

  /// Equal statistics of equal granules, whatever the batches were.
  friend bool operator==(const GranuleStatistics& a, const GranuleStatistics& b) {
    return a.tiling_ == b.tiling_ && a.granules_ == b.granules_;
  }

 private:
  void require_shape(std::string_view where, std::string_view argument, Shape shape) const {
    if (granules_.empty()) return;
    if (shape.cols != shape_.cols) {
      raise(where, argument, " has ", shape.cols, " columns, expected ", shape_.cols, " as before");
    }
    const bool rows_matter = tiling_.tile_rows > 0;
    if (rows_matter && shape.rows != shape_.rows) {
      raise(where, argument, " has ", shape.rows, " rows, expected ", shape_.rows,
            " as before (the tiling assigns rows to granules)");
    }
  }

  /// Rows of a band that are read at a time: enough to be worth a call, few enough for what is copied to stay in cache.
  static Index piece_rows(const GranuleBand& band, const TilingGrid& grid) {
    constexpr Index piece = Index{1} << 15;  // elements
    const Index width = grid.is_column_map() ? piece : (band.last_tile - band.first_tile) * grid.tile_cols();
    return std::max(Index{1}, piece / width);
  }

  /// The statistics of the first granule of a band.
  Statistic* first_of(const GranuleBand& band, const TilingGrid& grid) {
    return granules_.data() + band.row_tile * grid.col_tiles() + band.first_tile;
  }

  /// Adds the values of a band to the statistics of its granules, which start at `first`.
  template <class T>
  static void add_band(const MatrixView<const T>& batch, const TilingGrid& grid, GranuleBand band, Statistic* first) {
    const Index base = band.row_tile * grid.col_tiles() + band.first_tile;
    const Index step = piece_rows(band, grid), end = band.last_row;
    for (; band.first_row < end; band.first_row = band.last_row) {
      band.last_row = std::min(band.first_row + step, end);
      visit_band(batch, grid, band, [&](Index g, std::span<const float> values) {
        first[g - base].add(values.data(), static_cast<Index>(values.size()));
      });
    }
  }

  /// The same with several threads: each piece has statistics of its own, merged in the order of the pieces.
  template <class T>
  void add_band_at_once(const MatrixView<const T>& batch, const TilingGrid& grid, const GranuleBand& band,
                        ExecutorRef executor) {
    const Index rows = band.last_row - band.first_row;
    const Index step = std::max(piece_rows(band, grid), chunk_count(rows, Index{executor.concurrency()}));
    std::vector<std::vector<Statistic>> parts(static_cast<std::size_t>(chunk_count(rows, step)));
    parallel_chunks(executor, rows, step, [&](Index chunk, Index begin, Index end) {
      GranuleBand piece = band;
      piece.first_row = band.first_row + begin;
      piece.last_row = band.first_row + end;
      auto& part = parts[static_cast<std::size_t>(chunk)];
      part.assign(static_cast<std::size_t>(band.last_tile - band.first_tile), empty_);
      add_band(batch, grid, piece, part.data());
    });
    Statistic* first = first_of(band, grid);
    for (const auto& part : parts) {
      for (std::size_t g = 0; g < part.size(); ++g) first[g].merge(part[g]);
    }
  }

  Tiling tiling_;
  Statistic empty_;
  std::vector<Statistic> granules_;  // empty: nothing was observed
  Shape shape_;                      // of the last batch
};

/// The one element of `all`, for calls that speak of a single granule.
template <class T>
[[nodiscard]] T only_granule(std::string_view where, std::vector<T> all, std::string_view plural) {
  if (all.size() != 1) raise(where, "the tiling gives ", all.size(), " granules, expected 1: call ", plural);
  return std::move(all.front());
}

}  // namespace halfstep::inline HALFSTEP_ABI
