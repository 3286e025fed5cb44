#pragma once

/// \file
/// The squared error of a product with fewer outputs: searches that try hundreds of values of one operand pay for as
/// many outputs as it has columns, not for all tokens.

#include "halfstep/calibrators/range/row_products.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Replaces the symmetric positive `gram` by the upper triangular U of `gram = U^T U`, 0 below the diagonal. Blocks of
/// 64 rows, so that most of the work is a matrix product. Pivots are at least `least_pivot`. Class: bounded, for any
/// executor.
template <class Matrix>
void factorize_upper(Matrix& gram, double least_pivot, ExecutorRef executor) {
  const Index n = gram.rows();
  Matrix panel, update;
  for (Index first = 0, last = 0; first < n; first = last) {
    last = std::min(first + 64, n);
    for (Index k = first; k < last; ++k) {
      const double root = std::sqrt(std::max(gram(k, k), least_pivot));
      gram.row(k).head(k).setZero();
      gram.row(k).tail(n - k) /= root;
      gram(k, k) = root;
      for (Index i = k + 1; i < last; ++i) gram.row(i).tail(n - i) -= gram(k, i) * gram.row(k).tail(n - i);
    }
    panel = gram.block(first, last, last - first, n - last).transpose();
    update.resize(n - last, n - last);
    multiply_rows<double>(view(panel), view(panel), mutable_view(update), executor);
    gram.bottomRightCorner(n - last, n - last) -= update;
  }
}

/// See `reduce_outputs`.
template <class Matrix>
struct ReducedOutputs {
  Matrix fixed;              ///< `[k, k]`, upper triangular
  Matrix residual;           ///< `[s, k]`; empty where the residual was
  std::vector<double> rest;  ///< `[s]`: what no change can take away; empty where the residual was
};

/// Replaces `fixed` `[f, k]` and `residual` `[s, f]` (or an empty one, for 0) so that for every `change` `[s, k]`
///
///     |change_i * fixed^T + residual_i|^2 = |change_i * fixed'^T + residual'_i|^2 + rest_i       for each row i
///
/// with k outputs instead of f. `fixed'` is the Cholesky factor U of fixed^T fixed + ridge, `residual' = residual *
/// fixed
/// * U^-1` what of the residual lies in its span; the sum of squares on the right cancels nothing. In double, then
/// rounded to float; the ridge is k 2^-51 of the trace. Costs f k^2 + s f k products. Class: bounded, for any executor.
template <class Matrix>
[[nodiscard]] ReducedOutputs<Matrix> reduce_outputs(const Matrix& fixed, const Matrix& residual, ExecutorRef executor) {
  const Index k = fixed.cols();
  const MatrixD columns = fixed.template cast<double>().transpose();
  MatrixD factor(k, k);
  multiply_rows<double>(view(columns), view(columns), mutable_view(factor), executor);
  const double ridge = std::max(static_cast<double>(k) * 0x1p-51 * factor.trace(), 0x1p-960);
  factor.diagonal().array() += ridge;
  factorize_upper(factor, ridge, executor);
  // Row i of U holds the coefficients of output i of `change * U^T`.
  ReducedOutputs<Matrix> reduced{factor.template cast<float>(), {}, {}};
  if (residual.size() == 0) return reduced;
  reduced.residual.resize(residual.rows(), k);
  reduced.rest.resize(static_cast<std::size_t>(residual.rows()));
  parallel_chunks(executor, residual.rows(), 64, [&](Index, Index begin, Index end) {
    const MatrixD part = residual.middleRows(begin, end - begin).template cast<double>();
    MatrixD spanned(end - begin, k);
    multiply_rows<double>(view(part), view(columns), mutable_view(spanned));
    for (Index i = 0; i < end - begin; ++i) {
      auto row = spanned.row(i);
      for (Index j = 0; j < k; ++j) {  // solves row * U = row
        row(j) /= factor(j, j);
        row.tail(k - j - 1) -= row(j) * factor.row(j).tail(k - j - 1);
      }
      const double rest = part.row(i).squaredNorm() - row.squaredNorm();
      reduced.rest[static_cast<std::size_t>(begin + i)] = std::max(rest, 0.0);
    }
    reduced.residual.middleRows(begin, end - begin) = spanned.template cast<float>();
  });
  return reduced;
}

}  // namespace halfstep::inline HALFSTEP_ABI
