#pragma once

/// \file
/// Activations as the weight side of a product: keys and values of an attention head, encoded straight into a kernel's
/// order.
///
/// Pieces of the matrix small enough for L1 are encoded in the order in which they lie in memory, then brought into
/// lines: 16 rows x 256 k where rows are contiguous (keys `[tokens, d]`), 64 rows x 64 k where columns are (values
/// `[d, tokens]`, a transposed view of `[tokens, d]`). Nothing of the size of the matrix is allocated beside the
/// result.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// The maps from codes to s8 of a static activation, and unit and zero that go with them.
struct SignedPlanes {
  std::array<ByteMap, 2> maps;
  LoweringScale scale;

  explicit SignedPlanes(const Activation& activation) : scale(activation.static_scale()) {
    const auto zero = static_cast<double>(scale.zero);
    for (int p = 0; p < activation.plane_count(); ++p) {
      const auto at = static_cast<std::size_t>(p);
      const std::array<std::uint8_t, 256>& table = activation.plane_bytes(p);
      std::array<std::int16_t, 256> values{};
      std::copy(table.begin(), table.end(), values.begin());
      const int largest = *std::max_element(values.begin(), values.begin() + (1 << activation.bits()));
      int offset = (largest + 1) / 2;
      // The zero itself, where that leaves s8 values: it then vanishes.
      const bool is_zero = activation.plane_count() == 1 && zero == std::nearbyint(zero);
      if (is_zero && zero <= 128 && largest - zero <= 127) offset = static_cast<int>(zero);
      maps[at] = ByteMap(values, activation.bits(), offset);
      scale.zero -= simd::pinned(activation.plane_weight(p) * static_cast<float>(offset));
    }
  }
};

/// Encodes one matrix into a packed one, column block by column block.
template <class T>
class ActivationPacker {
 public:
  ActivationPacker(const MatrixView<const T>& matrix, const Activation& activation, const SignedPlanes& planes,
                   PackedMatrix& packed)
      : matrix_(matrix),
        activation_(activation),
        planes_(planes),
        layout_(packed.layout()),
        plane_count_(packed.plane_count()),
        writer_(packed) {}

  /// Rows [64 b, 64 b + 64).
  void pack_block(Index b) {
    first_ = b * PackedMatrix::block_rows;
    row_count_ = std::min(PackedMatrix::block_rows, matrix_.rows - first_);
    tiles_ = (row_count_ + lane_tile_rows - 1) / lane_tile_rows;
    finite_.fill(true);
    const bool by_columns = matrix_.row_stride == 1 && matrix_.col_stride != 1;
    for (Index g = 0; g < layout_.groups(); ++g) {
      for (std::array<std::int32_t, PackedMatrix::block_rows>& sums : sums_) sums.fill(0);
      const Index step = by_columns ? 64 : 256;
      for (Index k = 0; k < layout_.length(g); k += step) {
        const Index count = std::min(step, layout_.length(g) - k);
        if (by_columns) {
          pack_columns(layout_.begin(g) + k, count, layout_.padded_begin(g) + k);
        } else {
          for (Index t = 0; t < tiles_; ++t) pack_rows(t, layout_.begin(g) + k, count, layout_.padded_begin(g) + k);
        }
      }
      write_sums(g);
    }
    write_scales();
  }

 private:
  static constexpr Index piece_bytes = 4096;

  /// 16 rows of tile t, columns [k, k + count), which become the bytes from `position` on.
  void pack_rows(Index t, Index k, Index count, Index position) {
    constexpr Index stride = piece_bytes / lane_tile_rows;
    const Index rows = std::min(lane_tile_rows, row_count_ - t * lane_tile_rows);
    std::fill(codes_.begin(), codes_.end(), std::uint8_t{0});
    for (Index i = 0; i < rows; ++i) {
      const Index row = t * lane_tile_rows + i;
      const float* x = read_row(matrix_.block(first_ + row, k, 1, count), 0, floats_.data());
      if (!encode(x, count, codes_.data() + i * stride)) finite_[static_cast<std::size_t>(row)] = false;
    }
    for (int p = 0; p < plane_count_; ++p) {
      map_codes(p);
      for (Index i = 0; i < lane_tile_rows; ++i) {
        std::uint8_t* const row = values_.data() + i * stride;
        const Index used = i < rows ? count : 0;
        std::fill(row + used, row + KLayout::padded(count), std::uint8_t{0});
        sum_at(p, t * lane_tile_rows + i) += sum_bytes(reinterpret_cast<const std::int8_t*>(row), used);
      }
      rows_to_byte_lines(values_.data(), stride, KLayout::padded(count), lines(p, t, position), line_stride(t));
    }
  }

  /// All rows of the block, columns [k, k + count).
  void pack_columns(Index k, Index count, Index position) {
    constexpr Index stride = PackedMatrix::block_rows;
    std::fill(codes_.begin(), codes_.end(), std::uint8_t{0});
    for (Index i = 0; i < count; ++i) {
      const auto column = transposed(matrix_.block(first_, k + i, row_count_, 1));
      const float* x = read_row(column, 0, floats_.data());
      if (!encode(x, row_count_, codes_.data() + i * stride)) note_not_finite(x);
    }
    for (int p = 0; p < plane_count_; ++p) {
      map_codes(p);
      std::fill(values_.begin() + count * stride, values_.begin() + KLayout::padded(count) * stride, std::uint8_t{0});
      for (Index i = 0; i < count; ++i) {
        std::uint8_t* const column = values_.data() + i * stride;
        std::fill(column + row_count_, column + stride, std::uint8_t{0});
        for (Index n = 0; n < stride; ++n) sum_at(p, n) += static_cast<std::int8_t>(column[n]);
      }
      for (Index t = 0; t < tiles_; ++t) {
        std::uint8_t* line = lines(p, t, position);
        for (Index i = 0; i < KLayout::padded(count); i += 4, line += line_stride(t)) {
          columns_to_byte_line(values_.data() + i * stride + t * lane_tile_rows, stride, line);
        }
      }
    }
  }

  /// Codes of `x[0 .. n)`; returns whether all of it is finite.
  bool encode(const float* x, Index n, std::uint8_t* codes) const {
    return simd::is_finite(activation_.encode(x, n, codes).unit);
  }

  void note_not_finite(const float* x) {
    for (Index n = 0; n < row_count_; ++n) {
      if (!simd::is_finite(x[n])) finite_[static_cast<std::size_t>(n)] = false;
    }
  }

  /// The whole piece, whose size the compiler knows.
  void map_codes(int p) { planes_.maps[static_cast<std::size_t>(p)].apply(codes_.data(), piece_bytes, values_.data()); }

  [[nodiscard]] std::uint8_t* lines(int p, Index t, Index position) {
    return writer_.lines(p, first_ / lane_tile_rows + t, position);
  }
  [[nodiscard]] Index line_stride(Index t) const { return writer_.line_stride(first_ / lane_tile_rows + t); }
  [[nodiscard]] std::int32_t& sum_at(int p, Index n) {
    return sums_[static_cast<std::size_t>(p)][static_cast<std::size_t>(n)];
  }

  void write_sums(Index g) {
    for (int p = 0; p < plane_count_; ++p) {
      for (Index n = 0; n < tiles_ * lane_tile_rows; ++n) {
        writer_.set_sum(p, g, first_ + n, n < row_count_ ? sum_at(p, n) : 0);
      }
    }
  }

  void write_scales() {
    for (Index n = 0; n < tiles_ * lane_tile_rows; ++n) {
      const bool exists = n < row_count_;
      float scale = exists ? planes_.scale.unit : 0.0f;
      if (!finite_[static_cast<std::size_t>(n)]) scale = std::numeric_limits<float>::quiet_NaN();
      for (Index g = 0; g < layout_.groups(); ++g) {
        writer_.set_scale(g, first_ + n, scale);
        writer_.set_zero(g, first_ + n, exists ? planes_.scale.zero : 0.0f);
      }
    }
  }

  const MatrixView<const T>& matrix_;
  const Activation& activation_;
  const SignedPlanes& planes_;
  const KLayout layout_;
  const int plane_count_;
  PackedMatrixWriter writer_;
  Index first_ = 0;      // row of the block
  Index row_count_ = 0;  // of the block
  Index tiles_ = 0;      // of the block
  std::array<bool, PackedMatrix::block_rows> finite_{};
  std::array<std::array<std::int32_t, PackedMatrix::block_rows>, 2> sums_{};
  std::array<float, 256> floats_;
  std::array<std::uint8_t, piece_bytes> codes_;
  std::array<std::uint8_t, piece_bytes> values_;
};

/// Encodes `matrix` `[out, K]` under a static `activation` and packs it as the weight of a product, in memory that
/// `packed` already has where it is enough. Keys go in as they are, `[tokens, d]`; values as `transposed(v)`,
/// `[d, tokens]`, whose K axis is the tokens. Every output channel has the same scale; one whose row holds NaN or
/// infinity gives NaN. One pass over the matrix; allocates nothing once `packed` was as large.
///
/// Errors: an activation that is fitted to each row. Class: exact, for any executor.
template <Viewable M>
void pack_activation_into(const M& matrix, const Activation& activation, PackedMatrix& packed,
                          ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("pack_activation", "matrix", source);
  if (activation.is_dynamic()) {
    raise("pack_activation", "activation is fitted to each row, expected a static one (a quantizer)");
  }
  const SignedPlanes planes(activation);
  packed.reset(source.rows, KLayout(source.cols, 0), WeightStorage::bytes, activation.plane_count());
  PackedMatrixWriter writer(packed);
  for (int p = 0; p < activation.plane_count(); ++p) {
    writer.set_plane_weight(p, activation.plane_weight(p));
    writer.set_code_values(p, 1 << activation.bits(), planes.maps[static_cast<std::size_t>(p)].table());
  }
  using Element = std::remove_const_t<typename decltype(source)::Element>;
  const MatrixView<const Element> elements = source;
  const Index grain = std::max<Index>(1, band_grain(PackedMatrix::block_rows * source.cols));
  parallel_for(executor, packed.blocks(), grain, [&](Index begin, Index end) {
    ActivationPacker<Element> packer(elements, activation, planes, packed);
    for (Index b = begin; b < end; ++b) packer.pack_block(b);
  });
  writer.finish();
}

/// The same as a new packed matrix.
template <Viewable M>
[[nodiscard]] PackedMatrix pack_activation(const M& matrix, const Activation& activation, ExecutorRef executor = {}) {
  PackedMatrix packed;
  pack_activation_into(matrix, activation, packed, executor);
  return packed;
}

}  // namespace halfstep::inline HALFSTEP_ABI
