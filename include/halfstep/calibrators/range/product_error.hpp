#pragma once

/// \file
/// What changes of one operand's rows do to a product, as sums of squared errors: the objective of searches that look
/// at a layer's output.
///
///     error(d) = |seen (x + d) - exact x|^2        x: a row [K] of one operand; exact, seen: the other operand [m, K]
///
/// as it was and as the row meets it. With tokens for x, `seen` is the decoded weight; with rows of the weight for x,
/// it is the decoded activations. Written as |seen d + r|^2 with r = (seen - exact) x, no large numbers cancel.

#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

/// The squared error of a product, row by row of one operand, for any number of candidates at once.
///
/// Operands of more rows than columns are reduced to K x K moments, so that a candidate costs K * min(m, K) products
/// whatever m is. All in double. Class: bounded; the same bits for any executor.
class ProductError {
 public:
  /// `exact` and `seen` of one shape `[m, K]`, finite, which the caller has checked. Copies them, or their moments.
  ProductError(const MatrixView<const float>& exact, const MatrixView<const float>& seen, ExecutorRef executor = {})
      : channels_(seen.cols), by_moments_(seen.rows > seen.cols) {
    if (by_moments_) {
      accumulate(exact, seen, executor);
    } else {
      seen_ = halfstep::as_eigen(seen).cast<double>();
      residual_ = seen_ - halfstep::as_eigen(exact).cast<double>();
    }
  }
  /// The other operand is met as it is.
  explicit ProductError(const MatrixView<const float>& seen, ExecutorRef executor = {})
      : ProductError(seen, seen, executor) {}

  /// K.
  [[nodiscard]] Index channels() const { return channels_; }

  /// `errors[i] = error(d_i)` for the row `x` `[K]` and each row d_i of `changes` `[n, K]`. May be called from several
  /// threads.
  void operator()(const float* x, const MatrixD& changes, double* errors) const {
    const Eigen::VectorXd row = Eigen::Map<const Eigen::VectorXf>(x, channels_).cast<double>();
    Eigen::Map<Eigen::VectorXd> out(errors, changes.rows());
    if (by_moments_) {
      const Eigen::VectorXd linear = cross_ * row;
      const double constant = row.dot(residual_ * row);
      const MatrixD product = changes * seen_;
      out = product.cwiseProduct(changes).rowwise().sum() + 2 * (changes * linear);
      // A sum of squares, but for its rounding.
      for (Index i = 0; i < changes.rows(); ++i) out[i] = std::max(out[i] + constant, 0.0);
    } else {
      const Eigen::RowVectorXd residual = (residual_ * row).transpose();
      MatrixD product = changes * seen_.transpose();
      product.rowwise() += residual;
      out = product.rowwise().squaredNorm();
    }
  }

 private:
  /// seen_ = S^T S, cross_ = S^T E, residual_ = E^T E with E = seen - exact, over chunks of rows in their order; blocks
  /// of their columns are tasks.
  void accumulate(const MatrixView<const float>& exact, const MatrixView<const float>& seen, ExecutorRef executor) {
    constexpr Index block = 64, rows_at_once = 256;
    for (MatrixD* moment : {&seen_, &cross_, &residual_}) moment->setZero(channels_, channels_);
    parallel_chunks(executor, channels_, block, [&](Index, Index begin, Index end) {
      for (Index first = 0; first < seen.rows; first += rows_at_once) {
        const Index count = std::min(rows_at_once, seen.rows - first);
        const MatrixD s = halfstep::as_eigen(seen.row_range(first, count)).cast<double>();
        const MatrixD e = s - halfstep::as_eigen(exact.row_range(first, count)).cast<double>();
        const auto s_part = s.middleCols(begin, end - begin), e_part = e.middleCols(begin, end - begin);
        seen_.middleCols(begin, end - begin).noalias() += s.transpose() * s_part;
        cross_.middleCols(begin, end - begin).noalias() += s.transpose() * e_part;
        residual_.middleCols(begin, end - begin).noalias() += e.transpose() * e_part;
      }
    });
  }

  Index channels_;
  bool by_moments_;
  MatrixD seen_;      // the operand, or its second moment
  MatrixD cross_;     // moment of the operand and its error; empty without moments
  MatrixD residual_;  // the error of the operand, or its second moment
};

/// The sum of the squares of `x_hat w_hat^T - x w^T`, x `[tokens, K]`, w `[m, K]`, in double over chunks of 64 rows of
/// x in their order. Class: bounded; the same bits for any executor.
[[nodiscard]] inline double squared_product_error(const MatrixF& x, const MatrixF& w, const MatrixF& x_hat,
                                                  const MatrixF& w_hat, ExecutorRef executor = {}) {
  const MatrixD seen = w_hat.cast<double>(), change = seen - w.cast<double>();
  const bool weight_changes = !change.isZero(0), rows_change = x_hat != x;
  return chunked_sum(executor, x.rows(), 64, [&](Index begin, Index end) {
    MatrixD error = MatrixD::Zero(end - begin, w.rows());
    const MatrixD rows = x.middleRows(begin, end - begin).cast<double>();
    if (weight_changes) error.noalias() += rows * change.transpose();
    if (rows_change) {
      const MatrixD moved = x_hat.middleRows(begin, end - begin).cast<double>() - rows;
      error.noalias() += moved * seen.transpose();
    }
    return error.squaredNorm();
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
