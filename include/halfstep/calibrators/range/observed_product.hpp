#pragma once

/// \file
/// Products of a model as they ran on calibration data: what searches by output error are about.

#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/encode_row.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `out = lhs * rhs^T + bias`; lhs `[m, k]`, rhs `[n, k]`, strided in any way; both outlive what is made of it.
///
/// A linear layer is one product: its inputs of all images `[tokens, in_features]`, its weight `[out_features,
/// in_features]`, its bias. Attention is one product per image and head: queries and keys, probabilities and
/// `transposed(values)`.
struct ObservedProduct {
  MatrixView<const float> lhs;
  MatrixView<const float> rhs;
  VectorView bias = {};                   ///< `[n]` or empty; only metrics that look at the output read it
  MatrixView<const float> gradient = {};  ///< `[m, n]`, of the model's loss by the output: for OutputMetric::hessian
  Index head = 0;                         ///< products of one head share quantizers; heads are 0, 1, ...
};

/// The side of a product that a search is about.
enum class Operand { lhs, rhs };

[[nodiscard]] inline MatrixView<const float> operand_of(const ObservedProduct& product, Operand operand) {
  return operand == Operand::lhs ? product.lhs : product.rhs;
}

[[nodiscard]] constexpr Operand other_operand(Operand operand) {
  return operand == Operand::lhs ? Operand::rhs : Operand::lhs;
}

/// Whether each head has quantizers of its own, or one set serves all.
enum class Heads { apart, together };

/// Which rows of an operand share a quantizer: a tiling of whole rows (`per_tensor`, `per_row`, `per_row_block`) of
/// each product, over again for each head, or the same for all.
struct ProductTiling {
  Tiling rows = per_tensor();
  Heads heads = Heads::apart;

  ProductTiling() = default;
  ProductTiling(Tiling rows_, Heads heads_ = Heads::apart)  // NOLINT(google-explicit-constructor): is one, mostly
      : rows(std::move(rows_)), heads(heads_) {}
  ProductTiling(Heads heads_) : heads(heads_) {}  // NOLINT(google-explicit-constructor)
};

/// Refuses products that cannot be multiplied, or hold what is not finite; names the product where there are several.
inline void require_products(std::string_view where, std::span<const ObservedProduct> products, ExecutorRef executor) {
  if (products.empty()) raise(where, "products is empty, expected at least one");
  for (std::size_t p = 0; p < products.size(); ++p) {
    const ObservedProduct& product = products[p];
    const std::string of = products.size() == 1 ? std::string() : concat(" of product ", p);
    for (const Operand operand : {Operand::lhs, Operand::rhs}) {
      const std::string name = (operand == Operand::lhs ? "lhs" : "rhs") + of;
      const MatrixView<const float> matrix = operand_of(product, operand);
      require_readable(where, name, matrix);
      if (matrix.empty()) raise(where, name, " of shape ", shape_of(matrix), " has no elements");
      require_finite(where, name, matrix, executor);
    }
    if (product.lhs.cols != product.rhs.cols) {
      raise(where, "lhs", of, " has ", product.lhs.cols, " columns, rhs has ", product.rhs.cols);
    }
    if (!product.bias.empty() && product.bias.size != product.rhs.rows) {
      raise(where, "bias", of, " has ", product.bias.size, " elements, rhs has ", product.rhs.rows, " rows");
    }
    require_finite(where, "bias" + of, MatrixView<const float>(product.bias.data, 1, product.bias.size));
  }
}

/// Which granule each row of an operand belongs to.
class ProductGranules {
 public:
  /// Errors: no products; granules that are no whole rows; heads that are not 0, 1, ...; products of a head whose
  /// operands do not have the same granules.
  ProductGranules(std::string_view where, std::span<const ObservedProduct> products, Operand operand,
                  const ProductTiling& tiling) {
    if (products.empty()) raise(where, "products is empty, expected at least one");
    std::vector<bool> is_seen;
    for (std::size_t p = 0; p < products.size(); ++p) {
      const TilingGrid grid(tiling.rows, shape_of(operand_of(products[p], operand)));
      if (grid.col_tiles() > 1) raise(where, "tiling divides rows, expected granules of whole rows");
      if (p == 0) per_head_ = grid.row_tiles();
      if (grid.row_tiles() != per_head_) {
        raise(where, "product ", p, " has ", grid.row_tiles(), " granules, product 0 has ", per_head_);
      }
      const Index head = products[p].head;
      if (head < 0 || head >= static_cast<Index>(products.size())) {
        raise(where, "head of product ", p, " is ", head, ", expected 0 to ", products.size() - 1);
      }
      if (head >= static_cast<Index>(is_seen.size())) is_seen.resize(static_cast<std::size_t>(head) + 1);
      is_seen[static_cast<std::size_t>(head)] = true;
      places_.push_back({tiling.heads == Heads::apart ? head * per_head_ : 0, grid.tile_rows()});
    }
    for (std::size_t head = 0; head < is_seen.size(); ++head) {
      if (!is_seen[head]) raise(where, "no product has head ", head, ", the largest is ", is_seen.size() - 1);
    }
    count_ = tiling.heads == Heads::apart ? per_head_ * static_cast<Index>(is_seen.size()) : per_head_;
  }

  [[nodiscard]] Index count() const { return count_; }
  /// The granule of row `row` of product `product`.
  [[nodiscard]] Index granule(std::size_t product, Index row) const {
    return places_[product].first + row / places_[product].rows;
  }
  /// One past the last row of the granule that holds row `row`, at most `rows`.
  [[nodiscard]] Index run_end(std::size_t product, Index row, Index rows) const {
    return std::min((row / places_[product].rows + 1) * places_[product].rows, rows);
  }

 private:
  struct Place {
    Index first;  // granule of row 0
    Index rows;   // of a granule
  };
  std::vector<Place> places_;
  Index per_head_ = 0;
  Index count_ = 0;
};

/// The values of each granule of an operand, product after product, row after row. Errors: see `require_products` and
/// `ProductGranules`.
[[nodiscard]] inline GranuleValues operand_values(std::string_view where, std::span<const ObservedProduct> products,
                                                  Operand operand, const ProductTiling& tiling,
                                                  ExecutorRef executor = {}) {
  require_products(where, products, executor);
  const ProductGranules granules(where, products, operand, tiling);
  GranuleValues values(static_cast<std::size_t>(granules.count()));
  for (std::size_t p = 0; p < products.size(); ++p) {
    const MatrixView<const float> matrix = operand_of(products[p], operand);
    for (Index r = 0; r < matrix.rows; ++r) {
      std::vector<float>& to = values[static_cast<std::size_t>(granules.granule(p, r))];
      to.resize(to.size() + static_cast<std::size_t>(matrix.cols));
      copy_row(matrix, r, to.data() + to.size() - static_cast<std::size_t>(matrix.cols));
    }
  }
  return values;
}

/// `decode(encode(x))` of rows `[first, first + count)` of an operand, side by side in `out`. Rows of one granule go in
/// one call where they lie side by side.
template <ScalarQuantizer Q>
void fake_quantize_rows(const MatrixView<const float>& matrix, Index first, Index count,
                        const ProductGranules& granules, std::size_t product, std::span<const Q> quantizers,
                        float* out) {
  const bool is_dense = matrix.rows_are_contiguous() && matrix.row_stride == matrix.cols;
  for (Index r = first; r < first + count;) {
    const Q& q = quantizers[static_cast<std::size_t>(granules.granule(product, r))];
    const Index rows = is_dense ? granules.run_end(product, r, first + count) - r : 1;
    float* const to = out + (r - first) * matrix.cols;
    fake_quantize_row(q, read_row(matrix, r, to), rows * matrix.cols, to);
    r += rows;
  }
}

/// What an operand of each product becomes under the quantizers of its granules. Errors: another number of quantizers;
/// see `ProductGranules`. Class: exact.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<MatrixF> fake_quantize_operand(std::span<const ObservedProduct> products, Operand operand,
                                                         const std::vector<Q>& quantizers,
                                                         const ProductTiling& tiling = {}, ExecutorRef executor = {}) {
  const ProductGranules granules("fake_quantize_operand", products, operand, tiling);
  if (static_cast<Index>(quantizers.size()) != granules.count()) {
    raise("fake_quantize_operand", "quantizers has ", quantizers.size(), " entries, the operand has ", granules.count(),
          " granules");
  }
  std::vector<MatrixF> values;
  for (std::size_t p = 0; p < products.size(); ++p) {
    const MatrixView<const float> matrix = operand_of(products[p], operand);
    MatrixF& out = values.emplace_back(matrix.rows, matrix.cols);
    parallel_for(executor, matrix.rows, band_grain(matrix.cols), [&](Index begin, Index end) {
      fake_quantize_rows<Q>(matrix, begin, end - begin, granules, p, quantizers, out.data() + begin * matrix.cols);
    });
  }
  return values;
}

}  // namespace halfstep::inline HALFSTEP_ABI
