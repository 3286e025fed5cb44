#pragma once

/// \file
/// Vectors multiplied by a `Rotation`: activations, rows and columns of weights. m + order additions an element.

#include "halfstep/calibrators/transform/rotation.hpp"
#include "halfstep/calibrators/transform/sylvester.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Multiplies vectors in place. One object holds the scratch memory of a thread; `r` must outlive it.
template <class Scalar>
class Rotator {
 public:
  explicit Rotator(const BasicRotation<Scalar>& r)
      : r_(r), scratch_(static_cast<std::size_t>(r.order > 1 ? r.order * lanes : 0)) {}

  /// Multiplies the `[size, width]` numbers at `x` by R along the first axis: `width` vectors at a time.
  void operator()(Scalar* x, Index width) {
    const Index run = r_.size / r_.order * width;
    for (Index k = 0; k < r_.order; ++k) sylvester_transform(x + k * run, r_.size / r_.order, width);
    if (r_.order > 1) {
      for (Index first = 0; first < run; first += lanes) mix(x + first, run, std::min(lanes, run - first));
    }
    if (r_.factor != 1) multiply(x, r_.size * width);
  }

 private:
  static constexpr auto batch = static_cast<Index>(simd::batch_lanes);
  static constexpr Index lanes = 16;  // a multiple of the lanes of every batch

  void multiply(Scalar* x, Index count) const {
    Index i = 0;
    if constexpr (std::same_as<Scalar, float>) {
      for (; i + batch <= count; i += batch) {
        simd::store(x + i, simd::load<simd::FloatBatch>(x + i) * simd::FloatBatch(r_.factor));
      }
    }
    for (; i < count; ++i) x[i] *= r_.factor;
  }

  /// `x_k = sum_j base(k, j) x_j` for `count` columns of the `[order, run]` numbers at `x`, j in order, each product
  /// rounded before it is added. Four sums at a time, so that none waits for its own last addition.
  void mix(Scalar* x, Index run, Index count) {
    for (Index j = 0; j < r_.order; ++j) std::copy_n(x + j * run, count, scratch_.data() + j * lanes);
    Index k = 0;
    for (; k + 4 <= r_.order; k += 4) mix_rows<4>(x, run, count, k);
    for (; k < r_.order; ++k) mix_rows<1>(x, run, count, k);
  }

  template <std::size_t Rows>
  void mix_rows(Scalar* x, Index run, Index count, Index k) const {
    Scalar sums[Rows][lanes];
    if constexpr (std::same_as<Scalar, float>) {
      for (Index l = 0; l < lanes; l += batch) sum_rows<simd::FloatBatch, Rows>(k, l, sums);
    } else {
      for (Index l = 0; l < lanes; ++l) sum_rows<double, Rows>(k, l, sums);
    }
    for (std::size_t i = 0; i < Rows; ++i) std::copy_n(sums[i], count, x + (k + static_cast<Index>(i)) * run);
  }

  template <class T, std::size_t Rows>
  void sum_rows(Index k, Index lane, Scalar (&sums)[Rows][lanes]) const {
    T total[Rows];
    for (T& sum : total) sum = T(0);
    for (Index j = 0; j < r_.order; ++j) {
      const T x = load_lanes<T>(scratch_.data() + j * lanes + lane);
      for (std::size_t i = 0; i < Rows; ++i) {
        const Scalar entry = r_.base[static_cast<std::size_t>((k + static_cast<Index>(i)) * r_.order + j)];
        total[i] = total[i] + simd::pinned(x * T(entry));
      }
    }
    for (std::size_t i = 0; i < Rows; ++i) store_lanes(sums[i] + lane, total[i]);
  }

  template <class T>
  [[nodiscard]] static T load_lanes(const Scalar* p) {
    if constexpr (std::same_as<Scalar, float>) {
      return simd::load<T>(p);
    } else {
      return *p;
    }
  }
  template <class T>
  static void store_lanes(Scalar* p, T x) {
    if constexpr (std::same_as<Scalar, float>) {
      simd::store(p, x);
    } else {
      *p = x;
    }
  }

  const BasicRotation<Scalar>& r_;
  std::vector<Scalar> scratch_;  // zeros where a run is shorter than a batch
};

/// Rotates each row of `matrix` `[rows, size]` in place: tokens, rows of a weight that reads rotated activations, rows
/// of an embedding that makes them. Errors: a rotation of another size. Class: ordered, for any executor.
template <class Scalar>
void rotate_rows(const BasicRotation<Scalar>& r, const MatrixView<Scalar>& matrix, ExecutorRef executor = {}) {
  require_readable("rotate_rows", "matrix", matrix);
  require_rotation("rotate_rows", r, matrix.cols);
  parallel_for(executor, matrix.rows, band_grain(matrix.cols * 4), [&](Index first, Index last) {
    Rotator<Scalar> rotate(r);
    std::vector<Scalar> copy(matrix.rows_are_contiguous() ? 0 : static_cast<std::size_t>(matrix.cols));
    for (Index row = first; row < last; ++row) {
      if (matrix.rows_are_contiguous()) {
        rotate(matrix.row(row), 1);
        continue;
      }
      copy_row(matrix, row, copy.data());
      rotate(copy.data(), 1);
      for (Index c = 0; c < matrix.cols; ++c) matrix(row, c) = copy[static_cast<std::size_t>(c)];
    }
  });
}

/// Rotates each column of `matrix` `[size, cols]` in place: a weight whose outputs are to be rotated. As above.
template <class Scalar>
void rotate_columns(const BasicRotation<Scalar>& r, const MatrixView<Scalar>& matrix, ExecutorRef executor = {}) {
  require_readable("rotate_columns", "matrix", matrix);
  require_rotation("rotate_columns", r, matrix.rows);
  constexpr Index width = 32;  // two cache lines of floats, so that little is read twice
  parallel_chunks(executor, matrix.cols, width, [&](Index, Index first, Index last) {
    Rotator<Scalar> rotate(r);
    std::vector<Scalar> copy(static_cast<std::size_t>(matrix.rows * (last - first)));
    const MatrixView<Scalar> block = matrix.col_range(first, last - first);
    copy_rows(block, copy.data());
    rotate(copy.data(), block.cols);
    for (Index i = 0; i < block.rows; ++i) {
      for (Index c = 0; c < block.cols; ++c) block(i, c) = copy[static_cast<std::size_t>(i * block.cols + c)];
    }
  });
}

/// The rotated activations of x `[tokens, size]`, of the rotation's scalar. Errors: a rotation of another size. Costs m
/// + order additions an element. Class: ordered, for any executor: the same bits on every instruction set.
template <class Scalar, Viewable M>
[[nodiscard]] MatrixOf<Scalar> apply(const BasicRotation<Scalar>& r, const M& x, ExecutorRef executor = {}) {
  const auto source = view(x);
  require_readable("apply", "x", source);
  require_rotation("apply", r, source.cols);
  MatrixOf<Scalar> out(source.rows, source.cols);
  parallel_for(executor, source.rows, band_grain(source.cols * 4), [&](Index first, Index last) {
    Rotator<Scalar> rotate(r);
    for (Index row = first; row < last; ++row) {
      Scalar* const to = out.data() + row * source.cols;
      copy_row(source, row, to);
      rotate(to, 1);
    }
  });
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
