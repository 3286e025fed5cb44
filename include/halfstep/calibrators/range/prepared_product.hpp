#pragma once

/// \file
/// A product made ready for many changes of one operand.
///
/// The output is never computed: with the searched operand S (float), what it becomes S', the other operand as it will
/// be multiplied F', and F in float,
///
///     error = S' F'^T - S F^T = (S' - S) F'^T + S (F' - F)^T
///
/// whose second part, the residual, is the same for all S'. So small errors are not lost in large outputs, and where
/// the metric is the plain square and F' has more rows than columns by far, a product with fewer outputs stands in
/// (reduced_outputs.hpp).

#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_metric.hpp"
#include "halfstep/calibrators/range/reduced_outputs.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/dense_product.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What an output error is about.
struct OutputLossOptions {
  Operand operand = Operand::lhs;               ///< the one that is searched
  ProductTiling tiling = {};                    ///< which of its rows share a quantizer
  OutputMetric metric = OutputMetric::squared;  ///< hessian: products bring gradients
  ExecutorRef executor = {};                    ///< of the preparation; results do not depend on it
};

/// One product from the side of the searched operand: errors are `[s, f]`, the output's transpose where that is rhs.
template <class Matrix>
struct PreparedProduct {
  MatrixView<const float> searched;  ///< `[s, k]`, side by side
  Matrix copy;                       ///< of the operand, where that is not
  Matrix fixed;                      ///< `[f, k]`
  Matrix residual;                   ///< `[s, f]`; empty: 0
  Matrix output;                     ///< `[s, f]`; for cosine
  Matrix factor;                     ///< `[s, f]`, of errors before they are squared; empty: 1
  std::vector<double> rest;          ///< `[s]`, of squared errors; empty: 0
  bool is_triangular = false;        ///< whether fixed(i, j) is 0 for j < i
};

/// `a * b^T`. Class: bounded, for any executor.
template <class Matrix>
[[nodiscard]] Matrix product_of(const MatrixView<const float>& a, const Matrix& b, ExecutorRef executor) {
  Matrix out(a.rows, b.rows());
  Workspace workspace;
  dense_product_into(a, view(b), mutable_view(out), workspace, {.executor = executor});
  return out;
}

/// The gradient of product number p, in the orientation of errors.
template <class Matrix>
[[nodiscard]] Matrix gradient_of(const ObservedProduct& product, std::size_t p, Operand operand, ExecutorRef executor) {
  const Shape expected{product.lhs.rows, product.rhs.rows};
  if (!(shape_of(product.gradient) == expected)) {
    raise("OutputLoss", "gradient of product ", p, " has shape ", shape_of(product.gradient), ", expected ", expected,
          " (its output) for the hessian metric");
  }
  require_readable("OutputLoss", concat("gradient of product ", p), product.gradient);
  require_finite("OutputLoss", concat("gradient of product ", p), product.gradient, executor);
  return as_eigen(operand == Operand::lhs ? product.gradient : transposed(product.gradient));
}

/// The output of a product in float, in the orientation of errors.
template <class Matrix>
[[nodiscard]] Matrix output_of(const PreparedProduct<Matrix>& made, VectorView bias, Operand operand,
                               ExecutorRef executor) {
  Matrix y = product_of(made.searched, made.fixed, executor);
  if (bias.empty()) return y;
  const Eigen::Map<const Eigen::VectorXf> column(bias.data, bias.size);
  if (operand == Operand::lhs) {
    y.rowwise() += column.transpose();
  } else {
    y.colwise() += column;
  }
  return y;
}

/// Everything about product number p that does not depend on what is searched. `other` replaces the float operand.
template <class Matrix>
[[nodiscard]] PreparedProduct<Matrix> prepare_product(const ObservedProduct& product, std::size_t p,
                                                      const Matrix* other, const OutputLossOptions& options) {
  PreparedProduct<Matrix> made;
  made.searched = operand_of(product, options.operand);
  if (!made.searched.rows_are_contiguous() || made.searched.row_stride != made.searched.cols) {
    made.copy = as_eigen(made.searched);
    made.searched = view(made.copy);
  }
  made.fixed = as_eigen(operand_of(product, other_operand(options.operand)));
  const OutputMetric metric = options.metric;
  if (metric == OutputMetric::hessian) {
    made.factor = gradient_of<Matrix>(product, p, options.operand, options.executor);
  } else if (metric != OutputMetric::squared && metric != OutputMetric::absolute) {
    Matrix y = output_of(made, product.bias, options.operand, options.executor);
    if (metric == OutputMetric::linear_weighted) y = y.cwiseAbs().cwiseSqrt().eval();
    (metric == OutputMetric::cosine ? made.output : made.factor) = std::move(y);
  }
  if (other == nullptr) return made;
  if (other->rows() != made.fixed.rows() || other->cols() != made.fixed.cols()) {
    raise("OutputLoss", "other of product ", p, " has shape ", shape_of(view(*other)), ", expected ",
          shape_of(view(made.fixed)));
  }
  made.residual = product_of<Matrix>(made.searched, *other - made.fixed, options.executor);
  made.fixed = *other;
  return made;
}

/// Where there are at least twice as many outputs as columns, makes them as few. For the squared metric.
template <class Matrix>
void reduce_product(PreparedProduct<Matrix>& made, ExecutorRef executor) {
  if (made.fixed.rows() < 2 * made.fixed.cols()) return;
  ReducedOutputs<Matrix> reduced = reduce_outputs(made.fixed, made.residual, executor);
  made.fixed = std::move(reduced.fixed);
  made.residual = std::move(reduced.residual);
  made.rest = std::move(reduced.rest);
  made.is_triangular = true;
}

}  // namespace halfstep::inline HALFSTEP_ABI
