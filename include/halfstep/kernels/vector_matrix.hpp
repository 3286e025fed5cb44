#pragma once

/// \file
/// A matrix as codes of vectors and the codebooks that give them meaning, in logical order.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/encode_vectors.hpp"
#include "halfstep/quantizers/vector_quantizer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Refuses a number of columns that vectors of `dim` values do not fill.
inline void require_whole_vectors(std::string_view where, Index cols, int dim) {
  if (cols % dim != 0) raise(where, "matrix has ", cols, " columns, expected a multiple of ", dim, " (a vector)");
}

/// Codes `[rows, cols / dim]` of `Q::bits` bits each, one for `dim` consecutive columns of a row, and one `Q` per
/// granule of a tiling: the whole layer, blocks of rows, blocks of columns.
///
/// Codes are dense bit fields, least significant bit first, each row padded to a whole byte. Const access is safe from
/// any number of threads, and so is writing different rows.
template <VectorQuantizer Q>
class VectorMatrix {
 public:
  using Quantizer = Q;
  static constexpr int dim = Q::dim;

  VectorMatrix() : VectorMatrix({0, 0}, per_tensor(), {}) {}

  /// All codes 0. `quantizers` has one entry per granule. Errors: columns or granules that vectors do not fill; a
  /// column map; another number of quantizers.
  VectorMatrix(Shape shape, Tiling tiling, std::vector<Q> quantizers)
      : shape_(shape), tiling_(std::move(tiling)), grid_(tiling_, shape), quantizers_(std::move(quantizers)) {
    require_whole_vectors("VectorMatrix", shape.cols, dim);
    if (grid_.is_column_map()) raise("VectorMatrix", "tiling is a column map, expected rectangles");
    if (grid_.col_tiles() > 1 && grid_.tile_cols() % dim != 0) {
      raise("VectorMatrix", "granules have ", grid_.tile_cols(), " columns, expected a multiple of ", dim,
            " (a vector)");
    }
    if (static_cast<Index>(quantizers_.size()) != grid_.count()) {
      raise("VectorMatrix", "quantizers has ", quantizers_.size(), " entries, the tiling of a matrix of shape ", shape,
            " has ", grid_.count(), " granules");
    }
    row_bytes_ = packed_bytes(vectors(), Q::bits);
    codes_ = AlignedBuffer<std::uint8_t>::zeros(shape.rows * row_bytes_);
  }

  [[nodiscard]] Index rows() const { return shape_.rows; }
  [[nodiscard]] Index cols() const { return shape_.cols; }
  [[nodiscard]] Shape shape() const { return shape_; }
  /// Codes of a row.
  [[nodiscard]] Index vectors() const { return shape_.cols / dim; }
  [[nodiscard]] const Tiling& tiling() const { return tiling_; }
  [[nodiscard]] const TilingGrid& grid() const { return grid_; }
  [[nodiscard]] const std::vector<Q>& quantizers() const { return quantizers_; }
  [[nodiscard]] const Q& quantizer(Index granule) const { return quantizers_[static_cast<std::size_t>(granule)]; }

  /// The code of vector v of row r. Unchecked, as are the other accessors.
  [[nodiscard]] std::uint8_t code(Index r, Index v) const {
    return code_at(codes_.data() + r * row_bytes_, Q::bits, static_cast<std::size_t>(v));
  }
  /// The real value that element (r, c) stands for.
  [[nodiscard]] float value(Index r, Index c) const {
    return quantizer(grid_.granule(r, c)).decode(code(r, c / dim))[static_cast<std::size_t>(c % dim)];
  }
  /// The codes of row r as bit fields.
  [[nodiscard]] std::span<const std::uint8_t> packed_row(Index r) const {
    return {codes_.data() + r * row_bytes_, static_cast<std::size_t>(row_bytes_)};
  }
  /// Writes the codes of row r, one per byte, to `codes[0 .. vectors())`.
  void unpack_row(Index r, std::uint8_t* codes) const {
    unpack_bits(packed_row(r), Q::bits, 0, {codes, static_cast<std::size_t>(vectors())});
  }
  /// The same as numbers of words: a code from `Q::words` on is the last one's, which it decodes like.
  void unpack_words(Index r, std::uint8_t* words) const {
    unpack_row(r, words);
    if constexpr (Q::words < (1 << Q::bits)) {
      constexpr auto last = static_cast<std::uint8_t>(Q::words - 1);
      for (Index v = 0; v < vectors(); ++v) words[v] = std::min(words[v], last);
    }
  }
  /// Replaces the codes of row r by `codes[0 .. vectors())`, each below 2^bits.
  void set_row(Index r, const std::uint8_t* codes) {
    pack_bits({codes, static_cast<std::size_t>(vectors())}, Q::bits,
              {codes_.data() + r * row_bytes_, static_cast<std::size_t>(row_bytes_)});
  }
  /// Calls `visit(granule, first_vector, count)` for the runs of vectors of row r that share a codebook.
  template <class Visit>
  void for_each_run(Index r, Visit&& visit) const {
    grid_.for_each_run(r, [&](Index granule, Index first, Index count) { visit(granule, first / dim, count / dim); });
  }

  friend bool operator==(const VectorMatrix& a, const VectorMatrix& b) {
    return a.shape_ == b.shape_ && a.tiling_ == b.tiling_ && a.quantizers_ == b.quantizers_ && a.codes_ == b.codes_;
  }

  /// Bytes of codes and codebooks.
  [[nodiscard]] Index bytes() const { return shape_.rows * row_bytes_ + grid_.count() * static_cast<Index>(sizeof(Q)); }
  /// Bits per element, codebooks included; 0 for a matrix without elements.
  [[nodiscard]] double bits_per_weight() const {
    const Index size = shape_.rows * shape_.cols;
    return size == 0 ? 0.0 : 8.0 * static_cast<double>(bytes()) / static_cast<double>(size);
  }

 private:
  Shape shape_;
  Tiling tiling_;
  TilingGrid grid_;
  std::vector<Q> quantizers_;
  Index row_bytes_ = 0;
  AlignedBuffer<std::uint8_t> codes_;
};

/// The nearest codes of `matrix` `[rows, cols]` under codebooks that were chosen elsewhere, one per granule of
/// `tiling`. Errors: shapes that do not fit, see `VectorMatrix`. Class: exact, for any executor.
template <VectorQuantizer Q, Viewable M>
[[nodiscard]] VectorMatrix<Q> quantize_vectors(const M& matrix, std::vector<Q> codebooks, Tiling tiling = per_tensor(),
                                               ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("quantize_vectors", "matrix", source);
  VectorMatrix<Q> result(shape_of(source), std::move(tiling), std::move(codebooks));
  parallel_for(executor, source.rows, band_grain(source.cols * Q::words), [&](Index begin, Index end) {
    std::vector<float> scratch(static_cast<std::size_t>(source.cols));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(result.vectors()));
    for (Index r = begin; r < end; ++r) {
      const float* row = read_row(source, r, scratch.data());
      result.for_each_run(r, [&](Index granule, Index first, Index count) {
        encode_vectors(result.quantizer(granule), row + first * Q::dim, count, codes.data() + first);
      });
      result.set_row(r, codes.data());
    }
  });
  return result;
}

/// The real values that the codes stand for, `[rows, cols]`. Class: exact.
template <VectorQuantizer Q>
[[nodiscard]] MatrixF dequantize(const VectorMatrix<Q>& matrix, ExecutorRef executor = {}) {
  MatrixF values(matrix.rows(), matrix.cols());
  parallel_for(executor, matrix.rows(), band_grain(matrix.cols()), [&](Index begin, Index end) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(matrix.vectors()));
    for (Index r = begin; r < end; ++r) {
      matrix.unpack_row(r, codes.data());
      float* const row = values.data() + r * matrix.cols();
      matrix.for_each_run(r, [&](Index granule, Index first, Index count) {
        decode_vectors(matrix.quantizer(granule), codes.data() + first, count, row + first * Q::dim);
      });
    }
  });
  return values;
}

}  // namespace halfstep::inline HALFSTEP_ABI
