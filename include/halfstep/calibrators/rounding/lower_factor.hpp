#pragma once

/// \file
/// The triangular factor of a symmetric matrix: `H = L S L^T` with a diagonal S of signs, all of them + where
/// H is positive definite (Cholesky).
///
/// L is kept in strips of `width` rows, each `[columns][width]`, which is the right operand of the register tile as it
/// lies; a copy of the rows of the current panel, row by row in bundles of `height`, is the left one. Panels of 96
/// columns are factored one after the other, each strip below getting all that earlier panels owe it at once
/// (left-looking): a strip is written once, and nearly all work is the tile's.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/simd/real_tile.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What is done with a pivot that is not positive.
enum class PivotRule {
  positive,  ///< give up: the matrix is not positive definite
  signs,     ///< keep its sign in S: by Sylvester's law the signs are those of the eigenvalues
  raised,    ///< replace it by its magnitude, and any pivot below a least value by that value
};

/// The factor of a `[size, size]` matrix in T, float or double; see the head of this file.
template <class T>
class LowerFactor {
 public:
  using Tile = simd::RealTile<T>;
  static constexpr Index width = Tile::width, height = Tile::height;
  static constexpr Index panel = 96;
  static_assert(panel % width == 0);

  explicit LowerFactor(Index size) : size_(size), strips_(chunk_count(size, width)) {
    starts_.reserve(static_cast<std::size_t>(strips_ + 1));
    Index start = 0;
    for (Index s = 0; s < strips_; ++s) {
      starts_.push_back(start);
      start += columns(s) * width;
    }
    values_.reset(start);
    signs_.assign(static_cast<std::size_t>(strips_ * width), T(1));
  }

  [[nodiscard]] Index size() const { return size_; }
  [[nodiscard]] Index strips() const { return strips_; }
  /// Columns that strip s holds: those of its panel and of all panels before.
  [[nodiscard]] Index columns(Index s) const { return std::min((s * width / panel + 1) * panel, strips_ * width); }
  /// Strip s, `[columns(s)][width]`.
  [[nodiscard]] T* strip(Index s) { return values_.data() + starts_[static_cast<std::size_t>(s)]; }
  [[nodiscard]] const T* strip(Index s) const { return values_.data() + starts_[static_cast<std::size_t>(s)]; }
  /// L(i, j) for j <= i. Unchecked.
  [[nodiscard]] T operator()(Index i, Index j) const { return strip(i / width)[j * width + i % width]; }
  /// How many signs of S are +.
  [[nodiscard]] Index positive_signs() const {
    return static_cast<Index>(std::count(signs_.begin(), signs_.begin() + size_, T(1)));
  }

  /// Writes elements (i, j) to (i + count - 1, j) of a matrix to `to`, all of them on or below the diagonal.
  using ReadColumn = FunctionRef<void(Index i, Index j, Index count, T* to)>;

  /// Replaces what the factor holds by that of a matrix. Returns whether every pivot was as the rule wants it; if not,
  /// what the factor holds is of no use. `least` is for `PivotRule::raised` (and how near 0 a pivot of `signs` may
  /// come). n^3 / 3 operations.
  bool factor(ReadColumn read, PivotRule rule, T least, ExecutorRef executor) {
    rule_ = rule;
    least_ = least;
    load(read, executor);
    AlignedBuffer<T> left(std::min(panel, strips_ * width) * strips_ * width);
    for (Index begin = 0; begin < strips_ * width; begin += panel) {
      const Index end = std::min(begin + panel, strips_ * width);
      const Panel current{begin, end, left.data()};
      pack(current, 0, begin, begin, end);
      if (!factor_diagonal(current, executor)) return false;
      const Index below = end / width;
      parallel_for(executor, strips_ - below, strips_at_a_time, [&](Index first, Index last) {
        for (Index s = first; s < last; s += strips_at_a_time) {
          const Index stop = std::min(s + strips_at_a_time, last);
          subtract_earlier(current, below + s, below + stop);
          for (Index t = s; t < stop; ++t) solve(current, below + t, end);
        }
      });
    }
    return true;
  }

 private:
  static constexpr Index strips_at_a_time = 4;

  /// Columns `[begin, end)` and a copy of the rows of the same numbers, signs of S applied: `[bundle][column][height]`.
  struct Panel {
    Index begin, end;
    T* left;
    [[nodiscard]] T* bundle(Index row) const { return left + (row - begin) / height * end * height; }
  };

  /// Rows beyond the last are those of the identity. Goes through a panel of rows a few columns at a time, so that what
  /// is read of a column lies side by side.
  void load(ReadColumn read, ExecutorRef executor) {
    parallel_for(executor, chunk_count(strips_ * width, panel), 1, [&](Index first, Index last) {
      T column[panel];
      for (Index b = first; b < last; ++b) {
        const Index row = b * panel, end = std::min(row + panel, size_), stop = std::min(row + panel, strips_ * width);
        for (Index j = 0; j < stop; ++j) {
          std::fill(column, column + panel, T(0));
          const Index from = std::max(row, j);
          if (from < end) read(from, j, end - from, column + (from - row));
          if (j >= size_) column[j - row] = T(1);
          for (Index i = row; i < stop; i += width) {
            std::copy_n(column + (i - row), width, strip(i / width) + j * width);
          }
        }
      }
    });
  }

  /// Copies rows `[first_row, last_row)` of columns `[first, last)` to the left operand.
  void pack(const Panel& current, Index first, Index last, Index first_row, Index last_row) const {
    for (Index row = first_row; row < last_row; row += height) {
      T* const to = current.bundle(row);
      const T* const from = strip(row / width) + row % width;
      for (Index k = first; k < last; ++k) {
        const T sign = signs_[static_cast<std::size_t>(k)];
        for (Index h = 0; h < height; ++h) to[k * height + h] = sign * from[k * width + h];
      }
    }
  }

  /// Takes from columns of the panel, in strips `[first, last)`, what all columns before the panel contribute.
  void subtract_earlier(const Panel& current, Index first, Index last) {
    if (current.begin == 0) return;
    constexpr Index step = 128;  // so many columns of a strip fit the first cache, so many of a panel the second
    alignas(64) T sums[strips_at_a_time][panel * width];
    std::fill(&sums[0][0], &sums[0][0] + strips_at_a_time * panel * width, T(0));
    for (Index k = 0; k < current.begin; k += step) {
      const Index count = std::min(step, current.begin - k);
      for (Index s = first; s < last; ++s) {
        for (Index j = current.begin; j < current.end; j += height) {
          Tile::add(count, current.bundle(j) + k * height, height, strip(s) + k * width,
                    sums[s - first] + (j - current.begin) * width);
        }
      }
    }
    for (Index s = first; s < last; ++s) {
      T* const to = strip(s) + current.begin * width;
      for (Index i = 0; i < (current.end - current.begin) * width; ++i) to[i] -= sums[s - first][i];
    }
  }

  /// Columns `[current.begin, end)` of strip s, from what `subtract_earlier` left.
  void solve(const Panel& current, Index s, Index end) {
    T* const x = strip(s);
    for (Index j = current.begin; j < end; j += height) {
      const T* const left = current.bundle(j);
      subtract_in_panel(current, s, j, j);
      for (Index h = 0; h < height; ++h) {
        T* const at = x + (j + h) * width;
        for (Index k = 0; k < h; ++k) {
          const T l = left[(j + k) * height + h];
          for (Index r = 0; r < width; ++r) at[r] -= l * x[(j + k) * width + r];
        }
        const T scale = 1 / left[(j + h) * height + h];
        for (Index r = 0; r < width; ++r) at[r] *= scale;
      }
    }
  }

  /// Takes from the bundle of columns at j what the columns of the panel before `end` contribute.
  void subtract_in_panel(const Panel& current, Index s, Index j, Index end) {
    alignas(64) T sums[height * width] = {};
    T* const x = strip(s);
    Tile::add(end - current.begin, current.bundle(j) + current.begin * height, height, x + current.begin * width, sums);
    for (Index i = 0; i < height * width; ++i) x[j * width + i] -= sums[i];
  }

  /// The rows of the panel's own columns, strip after strip.
  bool factor_diagonal(const Panel& current, ExecutorRef executor) {
    const Index first = current.begin / width, last = current.end / width;
    parallel_for(executor, last - first, 1, [&](Index begin, Index end) {
      for (Index s = begin; s < end; ++s) subtract_earlier(current, first + s, first + s + 1);
    });
    for (Index s = first; s < last; ++s) {
      const Index row = s * width;
      solve(current, s, row);
      pack(current, current.begin, row, row, row + width);
      for (Index j = row; j < row + width; j += height) subtract_in_panel(current, s, j, row);
      if (!factor_block(s)) return false;
      pack(current, row, row + width, row, row + width);
    }
    return true;
  }

  /// The last `width` columns of strip s: a small factorization.
  bool factor_block(Index s) {
    T* const block = strip(s) + s * width * width;
    T* const signs = signs_.data() + s * width;
    for (Index j = 0; j < width; ++j) {
      T pivot = block[j * width + j];
      for (Index k = 0; k < j; ++k) pivot -= signs[k] * block[k * width + j] * block[k * width + j];
      if (!accept(pivot, signs[j])) return false;
      const T root = std::sqrt(pivot);
      block[j * width + j] = root;
      for (Index i = 0; i < j; ++i) block[j * width + i] = 0;
      for (Index i = j + 1; i < width; ++i) {
        T sum = block[j * width + i];
        for (Index k = 0; k < j; ++k) sum -= signs[k] * block[k * width + i] * block[k * width + j];
        block[j * width + i] = sum / (signs[j] * root);
      }
    }
    return true;
  }

  /// Applies the rule to a pivot, and leaves its magnitude.
  bool accept(T& pivot, T& sign) const {
    sign = 1;
    if (!is_finite_bits(pivot)) return false;
    if (rule_ == PivotRule::positive) return pivot > 0;
    if (rule_ == PivotRule::signs && pivot < 0) sign = -1;
    pivot = std::max(std::fabs(pivot), least_);
    return true;
  }

  Index size_, strips_;
  std::vector<Index> starts_;
  AlignedBuffer<T> values_;
  std::vector<T> signs_;
  PivotRule rule_ = PivotRule::positive;
  T least_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
