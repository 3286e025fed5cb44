#pragma once

/// \file
/// Errors of the outputs of products, from changes of one operand.

#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_metric.hpp"
#include "halfstep/calibrators/range/prepared_product.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/dense_product.hpp"
#include "halfstep/kernels/float_tile.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The errors of some products. `Matrix` is `MatrixF`, a parameter so that only those who make one compile what
/// prepares them; see `OutputLoss`, which adds the quantizers.
template <class Matrix>
class OutputErrors {
 public:
  /// What one call needs beside the operands.
  struct Scratch {
    Matrix change;                    ///< of rows of the searched operand
    Matrix error;                     ///< of a part of their outputs
    std::vector<CosineSums> columns;  ///< of the granule at hand, where the output's rows are columns
    Workspace workspace;
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
      if (metric_ == OutputMetric::squared) reduce_product(products_.back(), options.executor);
    }
  }

  [[nodiscard]] const ProductGranules& granules() const { return granules_; }
  [[nodiscard]] const std::vector<PreparedProduct<Matrix>>& products() const { return products_; }
  /// Number of elements (cosine: rows) of the outputs of each granule.
  [[nodiscard]] const std::vector<double>& counts() const { return counts_; }

  [[nodiscard]] Scratch scratch(std::size_t p) const {
    const Index rows = std::min(products_[p].searched.rows, block_rows);
    return {Matrix(rows, products_[p].searched.cols), Matrix(rows, width(p)), {}, {}};
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
  static constexpr Index block_rows = 128;    // of errors that are computed at a time,
  static constexpr Index block_cols = 512;    // 256 KiB;
  static constexpr Index triangle_cols = 64;  // fewer where that leaves products by 0 out

  [[nodiscard]] bool is_cosine() const { return metric_ == OutputMetric::cosine; }
  [[nodiscard]] Index width(std::size_t p) const {
    const Index cols = products_[p].fixed.rows();
    return is_cosine() ? cols : std::min(cols, products_[p].is_triangular ? triangle_cols : block_cols);
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
    const Index cols = made.fixed.rows(), k = made.fixed.cols();
    scratch.change.topRows(count) -= Eigen::Map<const Matrix>(made.searched.row(first), count, made.searched.cols);
    for (Index col = 0; col < cols; col += width(p)) {
      const Index part = std::min(width(p), cols - col);
      const bool has_residual = made.residual.size() > 0;
      if (has_residual) scratch.error.topLeftCorner(count, part) = made.residual.block(first, col, count, part);
      const Index first_k = made.is_triangular ? col : 0;
      dense_product_into(view(scratch.change).block(0, first_k, count, k - first_k),
                         view(made.fixed).block(col, first_k, part, k - first_k),
                         mutable_view(scratch.error).block(0, 0, count, part), scratch.workspace,
                         {.update = has_residual ? TileUpdate::add : TileUpdate::set});
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
