#pragma once

/// \file
/// A pass over the columns of some rows, each column being told the weighted sum of what other columns hold.

#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/real_tile.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Rows of a matrix as strips of `width` rows, each `[columns][width]`: a column of a strip is a few registers.
template <class T>
class RowStrips {
 public:
  static constexpr Index width = simd::RealTile<T>::width;

  /// Zeros.
  explicit RowStrips(Index strips = 0, Index columns = 0)
      : strips_(strips), columns_(columns), values_(AlignedBuffer<T>::zeros(strips * columns * width)) {}

  [[nodiscard]] Index strips() const { return strips_; }
  [[nodiscard]] Index columns() const { return columns_; }
  /// Strip s from column q on.
  [[nodiscard]] T* at(Index s, Index q) { return values_.data() + (s * columns_ + q) * width; }
  [[nodiscard]] const T* at(Index s, Index q) const { return values_.data() + (s * columns_ + q) * width; }
  /// Element (row, column). Unchecked.
  [[nodiscard]] T& operator()(Index row, Index q) { return at(row / width, q)[row % width]; }
  [[nodiscard]] T operator()(Index row, Index q) const { return at(row / width, q)[row % width]; }
  void fill(T value) { std::fill(values_.begin(), values_.end(), value); }

 private:
  Index strips_, columns_;
  AlignedBuffer<T> values_;
};

/// Goes through columns block by block, and through a block strip by strip.
///
/// Before column q of a strip is visited, `sums(operand, strip, q)` is `sum_p values_p weights_pq`: over the columns of
/// earlier blocks (weights above the diagonal), or over all columns as they were at the start of the block (whole
/// columns), from `across`; and over the earlier columns of the same block from `within`, which the visitor fills
/// column by column. The two may be the same. Within a block all work but the visits is the register tile's.
template <class T>
class ColumnSweep {
 public:
  using Tile = simd::RealTile<T>;
  static constexpr Index width = Tile::width;
  using Visit = FunctionRef<void(Index strip, Index q)>;
  using VisitBlock = FunctionRef<void(Index block)>;

  explicit ColumnSweep(Index strips) : strips_(strips) {}

  /// Adds an operand; its number is how many there were. All have the same size and block.
  void add(const PackedColumns<T>& weights, const RowStrips<T>& across, const RowStrips<T>& within) {
    const Index columns = chunk_count(std::min(weights.block(), weights.size()), Tile::height) * Tile::height;
    operands_.push_back({&weights, &across, &within, RowStrips<T>(strips_, columns)});
  }

  /// The sums for column q of the current block.
  [[nodiscard]] const T* sums(std::size_t operand, Index strip, Index q) const {
    return operands_[operand].sums.at(strip, q - begin_);
  }

  /// Visits all columns of all strips; `before` a block's columns, when the sums across are there, and `after` them.
  void run(Visit visit, VisitBlock before = {}, VisitBlock after = {}) {
    const PackedColumns<T>& weights = *operands_[0].weights;
    for (Index b = 0; b < weights.blocks(); ++b) {
      begin_ = weights.begin(b);
      for (Operand& operand : operands_) sum_across(operand, b);
      if (before) before(b);
      for (Index s = 0; s < strips_; ++s) run_block(b, s, visit);
      if (after) after(b);
    }
  }

 private:
  struct Operand {
    const PackedColumns<T>* weights;
    const RowStrips<T>* across;
    const RowStrips<T>* within;
    RowStrips<T> sums;
  };

  void sum_across(Operand& operand, Index b) {
    constexpr Index step = 256;  // so many columns of a strip fit the first cache, so many rows of a block the second
    operand.sums.fill(T(0));
    const PackedColumns<T>& weights = *operand.weights;
    const Index end = weights.extent() == ColumnExtent::whole ? weights.size() : weights.begin(b);
    for (Index k = 0; k < end; k += step) {
      for (Index s = 0; s < strips_; ++s) {
        weights.multiply(b, k, std::min(k + step, end), operand.across->at(s, 0), operand.sums.at(s, 0));
      }
    }
  }

  void run_block(Index b, Index s, Visit visit) {
    const PackedColumns<T>& first = *operands_[0].weights;
    for (Index i = 0; i < first.bundles(b); ++i) {
      const Index q0 = begin_ + i * Tile::height, q1 = std::min(q0 + Tile::height, first.end(b));
      for (Operand& operand : operands_) {
        Tile::add(q0 - begin_, operand.weights->bundle(b, i) + begin_ * Tile::height, Tile::height,
                  operand.within->at(s, begin_), operand.sums.at(s, q0 - begin_));
      }
      for (Index q = q0; q < q1; ++q) {
        visit(s, q);
        for (Operand& operand : operands_) pass_on(operand, b, i, s, q, q1);
      }
    }
  }

  /// Adds column q to the sums of those after it in its bundle.
  void pass_on(Operand& operand, Index b, Index i, Index s, Index q, Index end) {
    const T* const weights = operand.weights->bundle(b, i) + q * Tile::height;
    const T* const x = operand.within->at(s, q);
    for (Index other = q + 1; other < end; ++other) {
      const T weight = weights[(other - begin_) % Tile::height];
      T* const to = operand.sums.at(s, other - begin_);
      for (Index r = 0; r < width; ++r) to[r] += weight * x[r];
    }
  }

  Index strips_;
  Index begin_ = 0;
  std::vector<Operand> operands_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
