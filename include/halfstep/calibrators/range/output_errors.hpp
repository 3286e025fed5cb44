#pragma once

/// \file
/// Errors of the outputs of products, from changes of one operand. The output is never computed: with the searched
/// operand S (float), what it becomes S', the other operand as it will be multiplied F', and F in float,
///
///     error = S' F'^T - S F^T = (S' - S) F'^T + S (F' - F)^T
///
/// whose second part is the same for all S'. So small errors are not lost in large outputs, and where the metric is the
/// plain square and F' has more rows than columns by far, a product with fewer outputs stands in (reduced_outputs.hpp).

#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_metric.hpp"
#include "halfstep/calibrators/range/reduced_outputs.hpp"
#include "halfstep/calibrators/range/row_products.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
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
};

/// `a * b^T`. Class: bounded, for any executor.
template <class Matrix>
[[nodiscard]] Matrix product_of(const MatrixView<const float>& a, const Matrix& b, ExecutorRef executor) {
  Matrix out(a.rows, b.rows());
  multiply_rows<float>(a, view(b), mutable_view(out), executor);
  return out;
}

/// The gradient of product number p, in the orientation of errors.
template <class Matrix>
[[nodiscard]] Matrix gradient_of(const ObservedProduct& product, std::size_t p, Operand operand,
                                 ExecutorRef executor) {
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

/// The errors of some products. `Matrix` is `MatrixF`, a parameter so that only those who make one compile the float
/// products; see `OutputLoss`, which adds the quantizers.
template <class Matrix>
class OutputErrors {
 public:
  /// What one call needs beside the operands.
  struct Scratch {
    Matrix change;                    ///< of rows of the searched operand
    Matrix error;                     ///< of a part of their outputs
    std::vector<CosineSums> columns;  ///< of the granule at hand, where the output's rows are columns
  };

  OutputErrors(std::span<const ObservedProduct> products, const std::vector<Matrix>& other,
               const OutputLossOptions& options)
      : granules_("OutputLoss", products, options.operand, options.tiling),
        operand_(options.operand),
        metric_(options.metric),
        counts_(static_cast<std::size_t>(granules_.count())) {
    require_products("OutputLoss", products, options.executor);
    if (!other.empty() && other.size() != products.size()) {
      raise("OutputLoss", "other has ", other.size(), " matrices, there are ", products.size(), " products");
    }
    for (std::size_t p = 0; p < products.size(); ++p) {
      products_.push_back(prepare_product(products[p], p, other.empty() ? nullptr : &other[p], options));
      count(p);
      if (metric_ == OutputMetric::squared) reduce(products_.back(), options.executor);
    }
  }

  [[nodiscard]] const ProductGranules& granules() const { return granules_; }
  [[nodiscard]] const std::vector<PreparedProduct<Matrix>>& products() const { return products_; }
  /// Number of elements (cosine: rows) of the outputs of each granule.
  [[nodiscard]] const std::vector<double>& counts() const { return counts_; }

  [[nodiscard]] Scratch scratch(std::size_t p) const {
    const Index rows = std::min(products_[p].searched.rows, block_rows);
    return {Matrix(rows, products_[p].searched.cols), Matrix(rows, width(p)), {}};
  }

  /// Calls `values(first, count, out)` for blocks of rows of the searched operand of product p, to write what they
  /// become, and adds what that does to the outputs to the losses of their granules.
  void add(std::size_t p, FunctionRef<void(Index first, Index count, float* out)> values, Scratch& scratch,
           std::span<double> losses) const {
    const Index rows = products_[p].searched.rows;
    for (Index first = 0; first < rows; first += block_rows) {
      const Index count = std::min(block_rows, rows - first);
      values(first, count, scratch.change.data());
      add_block(p, first, count, scratch, losses);
    }
  }

 private:
  static constexpr Index block_rows = 128;  // of errors that are computed at a time,
  static constexpr Index block_cols = 512;  // 256 KiB

  [[nodiscard]] bool is_cosine() const { return metric_ == OutputMetric::cosine; }
  [[nodiscard]] Index width(std::size_t p) const {
    const Index cols = products_[p].fixed.rows();
    return is_cosine() ? cols : std::min(cols, block_cols);
  }

  static void reduce(PreparedProduct<Matrix>& made, ExecutorRef executor) {
    if (made.fixed.rows() < 2 * made.fixed.cols()) return;
    ReducedOutputs<Matrix> reduced = reduce_outputs(made.fixed, made.residual, executor);
    made.fixed = std::move(reduced.fixed);
    made.residual = std::move(reduced.residual);
    made.rest = std::move(reduced.rest);
  }

  void count(std::size_t p) {
    const Index rows = products_[p].searched.rows, cols = products_[p].fixed.rows();
    for (Index r = 0; r < rows; r = granules_.run_end(p, r, rows)) {
      const Index of_granule = granules_.run_end(p, r, rows) - r;
      const Index added = !is_cosine() ? of_granule * cols : operand_ == Operand::lhs ? of_granule : cols;
      counts_[static_cast<std::size_t>(granules_.granule(p, r))] += static_cast<double>(added);
    }
  }

  /// `scratch.change` holds what rows `[first, first + count)` become.
  void add_block(std::size_t p, Index first, Index count, Scratch& scratch, std::span<double> losses) const {
    const PreparedProduct<Matrix>& made = products_[p];
    const Index cols = made.fixed.rows();
    scratch.change.topRows(count) -= Eigen::Map<const Matrix>(made.searched.row(first), count, made.searched.cols);
    for (Index col = 0; col < cols; col += width(p)) {
      const Index part = std::min(width(p), cols - col);
      multiply_rows<float>(view(scratch.change).row_range(0, count), view(made.fixed).row_range(col, part),
                           mutable_view(scratch.error).block(0, 0, count, part));
      if (made.residual.size() > 0) {
        scratch.error.topLeftCorner(count, part) += made.residual.block(first, col, count, part);
      }
      for (Index r = 0; r < count; ++r) {
        losses[static_cast<std::size_t>(granules_.granule(p, first + r))] +=
            loss_of_row(p, first + r, col, part, &scratch.error(r, 0), scratch.columns);
      }
    }
  }

  /// What `n` errors from column `col` of row `row` on count.
  [[nodiscard]] double loss_of_row(std::size_t p, Index row, Index col, Index n, const float* error,
                                   std::vector<CosineSums>& columns) const {
    const PreparedProduct<Matrix>& made = products_[p];
    if (metric_ == OutputMetric::absolute) return absolute_loss(error, n);
    if (made.factor.size() > 0) return weighted_loss(error, &made.factor(row, col), n);
    if (!is_cosine()) {
      const bool adds_rest = col == 0 && !made.rest.empty();
      return squared_loss(error, n) + (adds_rest ? made.rest[static_cast<std::size_t>(row)] : 0.0);
    }
    const float* const output = &made.output(row, 0);
    if (operand_ == Operand::rhs) return cosine_of_columns(p, row, n, output, error, columns);
    CosineSums sums;
    for (Index i = 0; i < n; ++i) sums.add(output[i], error[i]);
    return sums.loss();
  }

  /// Rows of the output are columns here: sums over the rows of a granule, which count at its last.
  [[nodiscard]] double cosine_of_columns(std::size_t p, Index row, Index n, const float* output, const float* error,
                                         std::vector<CosineSums>& columns) const {
    if (row == 0 || granules_.granule(p, row) != granules_.granule(p, row - 1)) {
      columns.assign(static_cast<std::size_t>(n), CosineSums());
    }
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].add(output[i], error[i]);
    if (granules_.run_end(p, row, products_[p].searched.rows) != row + 1) return 0;
    double loss = 0;
    for (const CosineSums& sums : columns) loss += sums.loss();
    return loss;
  }

  ProductGranules granules_;
  Operand operand_;
  OutputMetric metric_;
  std::vector<double> counts_;  // by granule
  std::vector<PreparedProduct<Matrix>> products_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
