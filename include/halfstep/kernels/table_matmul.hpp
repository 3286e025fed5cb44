#pragma once

/// \file
/// Products with vector codes by tables: no weight is decoded, and codebooks may hold any floats.
///
///     table(v, c) = sum_j x(t, v * dim + j) * word(c, j)          once per row t of x and codebook, j ascending
///     y(t, n)     = sum_v table(v, code(n, v)) + bias(n)          an `ordered_sum` over the vectors of a row
///
/// A row of tables costs words * in_features products, an output in_features / dim additions instead of in_features
/// products: good for one or a few rows of x and many outputs. For many rows, 8-bit codebooks in packed form
/// (pack_vectors.hpp) are faster. Source: VQ4DiT, AQLM ("LUT" kernels).

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/kernels/residual_matrix.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/vector_quantizer.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The words of a codebook, element by element: `[dim, words]`.
template <VectorQuantizer Q>
void transpose_words(const Q& q, float* transposed) {
  for (std::int32_t c = 0; c < Q::words; ++c) {
    const auto word = q.decode(c);
    for (std::size_t j = 0; j < word.size(); ++j) transposed[static_cast<Index>(j) * Q::words + c] = word[j];
  }
}

/// `table(c) = sum_j x_j * word(c, j)` for the `words` words of `transposed` `[dim, words]`. Class: exact.
template <int Dim>
void fill_product_table(const float* x, const float* transposed, Index words, float* table) {
  for_each_part(words, [&](Index c, Index part) {
    simd::FloatBatch sum = simd::pinned(simd::FloatBatch(x[0]) * load_part(transposed + c, part));
    for (Index j = 1; j < Dim; ++j) {
      sum += simd::pinned(simd::FloatBatch(x[j]) * load_part(transposed + j * words + c, part));
    }
    store_part(table + c, sum, part);
  });
}

/// The sum of the table entries that `codes[0 .. n)` choose, entry `offsets[v] + codes[v]` for vector v. `offsets` is
/// readable, and 0, up to a whole register. Class: ordered.
[[nodiscard]] inline float sum_of_entries(const float* tables, const std::int32_t* offsets, const std::uint8_t* codes,
                                          Index n) {
  return ordered_sum(n, [&](Index v, Index part) {
    const auto offset = simd::load<simd::IntBatch>(offsets + v);
    if (part == static_cast<Index>(simd::batch_lanes)) {
      return simd::gather(tables, offset + simd::load_bytes<simd::IntBatch>(codes + v));
    }
    const auto rest = simd::load_bytes_tail<simd::IntBatch>(codes + v, static_cast<std::size_t>(part));
    return keep_part(simd::gather(tables, offset + rest), part);
  });
}

/// One stage of a weight, prepared for products by tables.
template <VectorQuantizer Q>
class TableProduct {
 public:
  /// Scratch memory comes from `workspace`.
  TableProduct(const VectorMatrix<Q>& w, Workspace& workspace)
      : w_(w),
        words_(workspace.take<float>(w.grid().count() * Q::dim * Q::words)),
        tables_(workspace.take<float>(w.vectors() * Q::words)),
        offsets_(workspace.take<std::int32_t>(w.vectors() + static_cast<Index>(simd::batch_lanes))) {
    for (Index g = 0; g < w.grid().count(); ++g) {
      transpose_words(w.quantizer(g), words_.data() + g * Q::dim * Q::words);
    }
    std::fill(offsets_.begin(), offsets_.end(), 0);
    for (Index v = 0; v < w.vectors(); ++v) {
      offsets_[static_cast<std::size_t>(v)] = static_cast<std::int32_t>(v * Q::words);
    }
  }

  /// Calls `take(n, sum)` for the product of `x[0 .. cols)` with each row n of the weight, from any thread.
  template <class Take>
  void run(const float* x, ExecutorRef executor, Take take) const {
    const Index tile_rows = w_.grid().tile_rows();
    for (Index first = 0; first < w_.rows(); first += tile_rows) {
      if (first == 0 || w_.grid().row_tiles() > 1) fill_tables(x, first, executor);
      const Index rows = std::min(tile_rows, w_.rows() - first);
      parallel_for(executor, rows, band_grain(w_.vectors() * 4), [&](Index begin, Index end) {
        std::vector<std::uint8_t> codes(static_cast<std::size_t>(reads_in_place ? 0 : w_.vectors()));
        for (Index n = first + begin; n < first + end; ++n) take(n, product_with_row(n, codes.data()));
      });
    }
  }

 private:
  void fill_tables(const float* x, Index row, ExecutorRef executor) const {
    const Index base = row / w_.grid().tile_rows() * w_.grid().col_tiles();
    parallel_for(executor, w_.vectors(), band_grain(Q::dim * Q::words), [&](Index begin, Index end) {
      for (Index v = begin; v < end; ++v) {
        const float* const words = words_.data() + (base + w_.grid().col_tile(v * Q::dim)) * Q::dim * Q::words;
        fill_product_table<Q::dim>(x + v * Q::dim, words, Q::words, tables_.data() + v * Q::words);
      }
    });
  }

  /// Whether codes are the bytes of a row, each with an entry in its table, and can be read where they lie.
  static constexpr bool reads_in_place = Q::bits == 8 && Q::words == 256;

  /// `codes` holds a row of them, unless they are read in place.
  [[nodiscard]] float product_with_row(Index n, std::uint8_t* codes) const {
    if constexpr (reads_in_place) {
      return sum_of_entries(tables_.data(), offsets_.data(), w_.packed_row(n).data(), w_.vectors());
    } else {
      w_.unpack_words(n, codes);
      return sum_of_entries(tables_.data(), offsets_.data(), codes, w_.vectors());
    }
  }

  const VectorMatrix<Q>& w_;
  std::span<float> words_;   // transposed, by granule
  std::span<float> tables_;  // `[vectors, words]` of one row of x and one row of granules
  std::span<std::int32_t> offsets_;
};

/// `x * w^T + bias` as a new matrix `[tokens, out_features]`, from the codes of all stages, which are added from the
/// first on; x `[tokens, in_features]`. A row of x that is not finite gives a row of NaN. Class: ordered, for any
/// executor. Errors: no stage; stages of different shapes; shapes that do not fit.
template <VectorQuantizer Q, Viewable X>
[[nodiscard]] MatrixF table_matmul(const X& x, std::span<const VectorMatrix<Q>> stages, VectorView bias = {},
                                   ExecutorRef executor = {}) {
  const auto source = view(x);
  require_readable("table_matmul", "x", source);
  require_stages("table_matmul", stages);
  require_operands("table_matmul", shape_of(source), "weight", stages.front().shape(), bias);
  MatrixF out(source.rows, stages.front().rows());
  std::vector<float> scratch(static_cast<std::size_t>(source.cols));
  for (std::size_t s = 0; s < stages.size(); ++s) {
    Workspace workspace;
    const TableProduct<Q> product(stages[s], workspace);
    const bool is_last = s + 1 == stages.size();
    for (Index t = 0; t < source.rows; ++t) {
      float* const row = out.data() + t * out.cols();
      const float* const from = read_row(source, t, scratch.data());
      if (find_non_finite(from, source.cols) < source.cols) {
        std::fill_n(row, out.cols(), std::numeric_limits<float>::quiet_NaN());
        continue;
      }
      product.run(from, executor, [&](Index n, float sum) {
        const float all = s == 0 ? sum : row[n] + sum;
        row[n] = is_last && !bias.empty() ? all + bias[n] : all;
      });
    }
  }
  return out;
}

/// The same for one stage.
template <VectorQuantizer Q, Viewable X>
[[nodiscard]] MatrixF table_matmul(const X& x, const VectorMatrix<Q>& w, VectorView bias = {},
                                   ExecutorRef executor = {}) {
  return table_matmul(x, std::span(&w, 1), bias, executor);
}

/// The same for all stages of a residual matrix.
template <VectorQuantizer Q, Viewable X>
[[nodiscard]] MatrixF table_matmul(const X& x, const ResidualMatrix<Q>& w, VectorView bias = {},
                                   ExecutorRef executor = {}) {
  return table_matmul(x, std::span<const VectorMatrix<Q>>(w.stages()), bias, executor);
}

}  // namespace halfstep::inline HALFSTEP_ABI
