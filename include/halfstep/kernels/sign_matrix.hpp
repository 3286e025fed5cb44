#pragma once

/// \file
/// Matrices of one bit per element, as words: what products of signs read.
///
///     row r:     word 0: columns 0 .. 63, column c is bit c % 64 | word 1 | ...        bits beyond the last column are
///     0
///
/// `PackedSigns` holds 8 rows side by side, one 64-byte line for each word, so that a register of counts belongs to as
/// many outputs as it has words, and nothing is summed across a register:
///
///     tile of 8 rows:   (word 0 of rows 0 .. 7)   (word 1 of rows 0 .. 7)   ...        rows beyond the last are 0

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
#include "halfstep/kernels/encode_row.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the bits 0 and 1 of a matrix of signs stand for, before scale and zero.
enum class BitValues {
  signs,     ///< 1 and -1 (`Binary`)
  zero_one,  ///< 0 and 1 (`Elastic<1>`)
};

/// A quantizer of one bit.
template <class Q>
concept OneBitQuantizer = ScalarQuantizer<Q> && Q::bits == 1;

/// What the bits of `q` stand for. Errors: a lowering to other integers.
template <OneBitQuantizer Q>
[[nodiscard]] BitValues bit_values_of(const Q& q) {
  const Lowering lowering = lower(q);
  const std::int16_t zero = lowering.planes[0].values[0], one = lowering.planes[0].values[1];
  if (lowering.plane_count == 1 && lowering.planes[0].weight == 1.0f) {
    if (zero == 1 && one == -1) return BitValues::signs;
    if (zero == 0 && one == 1) return BitValues::zero_one;
  }
  raise("bit_values_of", "the quantizer stands for ", zero, " and ", one, ", expected 1 and -1, or 0 and 1");
}

/// A matrix `[rows, cols]` of bits: `value(r, k) = scale_r * (v(bit) - zero_r)`. Const use is safe from any number of
/// threads.
class SignMatrix {
 public:
  SignMatrix() = default;
  /// All bits 0, all scales 1, all zeros 0.
  SignMatrix(Shape shape, BitValues values)
      : shape_(shape),
        values_(values),
        words_((shape.cols + 63) / 64),
        data_(AlignedBuffer<std::uint64_t>::zeros(shape.rows * words_)),
        scale_(static_cast<std::size_t>(shape.rows), 1.0f),
        zero_(static_cast<std::size_t>(shape.rows), 0.0f),
        ones_(static_cast<std::size_t>(shape.rows), 0) {}

  [[nodiscard]] Index rows() const { return shape_.rows; }
  [[nodiscard]] Index cols() const { return shape_.cols; }
  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] BitValues values() const { return values_; }
  /// Words of a row.
  [[nodiscard]] Index words() const { return words_; }
  [[nodiscard]] const std::uint64_t* row(Index r) const { return data_.data() + r * words_; }
  [[nodiscard]] float scale(Index r) const { return scale_[static_cast<std::size_t>(r)]; }
  [[nodiscard]] float zero(Index r) const { return zero_[static_cast<std::size_t>(r)]; }
  /// Set bits of row r.
  [[nodiscard]] std::int32_t ones(Index r) const { return ones_[static_cast<std::size_t>(r)]; }
  [[nodiscard]] bool bit(Index r, Index k) const { return (row(r)[k / 64] >> (k % 64) & 1) != 0; }
  /// The integer that element (r, k) stands for.
  [[nodiscard]] int integer(Index r, Index k) const {
    return values_ == BitValues::signs ? 1 - 2 * int{bit(r, k)} : int{bit(r, k)};
  }
  /// The sum of those of row r.
  [[nodiscard]] std::int64_t sum(Index r) const {
    return values_ == BitValues::signs ? shape_.cols - 2 * std::int64_t{ones(r)} : std::int64_t{ones(r)};
  }
  /// Bytes of words, scales, zeros and counts.
  [[nodiscard]] Index bytes() const { return 8 * shape_.rows * words_ + 12 * shape_.rows; }

  /// Sets row r from its bits as bytes, the first element in the lowest bit of the first; `bytes` of them at most. Bits
  /// beyond the last column are ignored.
  void set_row(Index r, const std::uint8_t* bits, Index bytes, LoweringScale scale) {
    std::uint64_t* const words = data_.data() + r * words_;
    std::fill_n(words, words_, std::uint64_t{0});
    if (bytes > 0) std::memcpy(words, bits, static_cast<std::size_t>(std::min(bytes, 8 * words_)));
    if (shape_.cols % 64 != 0) words[words_ - 1] &= (std::uint64_t{1} << (shape_.cols % 64)) - 1;
    std::int32_t ones = 0;
    for (Index w = 0; w < words_; ++w) ones += std::popcount(words[w]);
    const auto at = static_cast<std::size_t>(r);
    ones_[at] = ones;
    scale_[at] = scale.unit;
    zero_[at] = scale.zero;
  }

 private:
  Shape shape_;
  BitValues values_ = BitValues::signs;
  Index words_ = 0;
  AlignedBuffer<std::uint64_t> data_;
  std::vector<float> scale_, zero_;
  std::vector<std::int32_t> ones_;
};

/// Activations `[tokens, channels]` as bits of `q`. A row that holds NaN or infinity gets the scale NaN. Class: exact,
/// for any executor.
template <Viewable M, OneBitQuantizer Q>
[[nodiscard]] SignMatrix encode_signs(const M& matrix, const Q& q, ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("encode_signs", "matrix", source);
  SignMatrix signs(shape_of(source), bit_values_of(q));
  const LoweringScale scale = lowering_scale(q);
  parallel_for(executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    std::vector<float> scratch(static_cast<std::size_t>(source.cols));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(source.cols)), bits((codes.size() + 7) / 8);
    for (Index r = first; r < last; ++r) {
      const EncodedRow seen = encode_row(q, read_row(source, r, scratch.data()), source.cols, codes.data());
      pack_bits(codes, 1, bits);
      const float unit = seen.is_finite ? scale.unit : std::numeric_limits<float>::quiet_NaN();
      signs.set_row(r, bits.data(), static_cast<Index>(bits.size()), {unit, scale.zero});
    }
  });
  return signs;
}

/// The bits of a quantized matrix, each row of which has one quantizer (per tensor, per row, per block of rows).
/// Errors: a tiling that cuts rows.
template <OneBitQuantizer Q>
[[nodiscard]] SignMatrix signs_of(const QuantizedMatrix<Q>& matrix) {
  if (matrix.grid().count() > 0 && matrix.grid().col_tiles() != 1) {
    raise("signs_of", "matrix has ", matrix.grid().col_tiles(), " granules to a row, expected one");
  }
  SignMatrix signs(matrix.shape(), bit_values_of(matrix.grid().count() > 0 ? matrix.quantizer(0) : Q{}));
  for (Index r = 0; r < matrix.rows(); ++r) {
    const auto bits = matrix.packed_row(r);
    const LoweringScale scale = matrix.cols() > 0 ? lowering_scale(matrix.quantizer_at(r, 0)) : LoweringScale{};
    signs.set_row(r, bits.data(), static_cast<Index>(bits.size()), scale);
  }
  return signs;
}

/// A weight `[out_features, in_features]` of bits in the order of the product. Made by `pack`.
class PackedSigns {
 public:
  static constexpr Index tile_rows = 8;

  PackedSigns() = default;
  explicit PackedSigns(const SignMatrix& matrix)
      : matrix_shape_(matrix.shape()),
        values_(matrix.values()),
        words_(matrix.words()),
        lines_(AlignedBuffer<std::uint64_t>::zeros(padded_rows() * words_)),
        scale_(static_cast<std::size_t>(padded_rows())),
        zero_(scale_.size()),
        ones_(scale_.size()),
        sum_(scale_.size()) {
    for (Index n = 0; n < matrix.rows(); ++n) {
      const auto at = static_cast<std::size_t>(n);
      scale_[at] = matrix.scale(n);
      zero_[at] = matrix.zero(n);
      has_zeros_ = has_zeros_ || zero_[at] != 0;
      ones_[at] = matrix.ones(n);
      sum_[at] = matrix.sum(n);
      std::uint64_t* const to = lines_.data() + n / tile_rows * tile_rows * words_ + n % tile_rows;
      for (Index w = 0; w < words_; ++w) to[w * tile_rows] = matrix.row(n)[w];
    }
  }

  [[nodiscard]] Index rows() const { return matrix_shape_.rows; }
  [[nodiscard]] Index cols() const { return matrix_shape_.cols; }
  [[nodiscard]] Shape shape() const { return matrix_shape_; }
  [[nodiscard]] BitValues values() const { return values_; }
  [[nodiscard]] Index words() const { return words_; }
  /// Rows rounded up to whole tiles.
  [[nodiscard]] Index padded_rows() const { return (rows() + tile_rows - 1) / tile_rows * tile_rows; }
  /// The lines of tile t, `words()` of them.
  [[nodiscard]] const std::uint64_t* tile(Index t) const { return lines_.data() + t * tile_rows * words_; }
  /// Scales, zeros, set bits and sums of integers, one per (padded) row.
  [[nodiscard]] const float* scale() const { return scale_.data(); }
  [[nodiscard]] const float* zero() const { return zero_.data(); }
  [[nodiscard]] const std::int32_t* ones() const { return ones_.data(); }
  [[nodiscard]] const std::int64_t* sum() const { return sum_.data(); }
  /// Whether any zero is not 0.
  [[nodiscard]] bool has_zeros() const { return has_zeros_; }
  /// Bytes of all that a product reads.
  [[nodiscard]] Index bytes() const { return 8 * padded_rows() * words_ + 20 * padded_rows(); }

 private:
  Shape matrix_shape_;
  BitValues values_ = BitValues::signs;
  Index words_ = 0;
  AlignedBuffer<std::uint64_t> lines_;
  std::vector<float> scale_, zero_;
  std::vector<std::int32_t> ones_;
  std::vector<std::int64_t> sum_;
  bool has_zeros_ = false;
};

/// Brings bits into the order of the product.
[[nodiscard]] inline PackedSigns pack(const SignMatrix& matrix) { return PackedSigns(matrix); }

}  // namespace halfstep::inline HALFSTEP_ABI
