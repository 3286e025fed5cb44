#pragma once

/// \file
/// The product of some rows of activations with one column block of a packed weight.
///
///     for each segment of K (a group, or a piece of one that fits the cache):
///       fill the panel from the packed lines                     (nothing to do where lines are the panel)
///       for each row tile:  multiply into int32;  at the end of a group: correct, scale, add to float sums
///
/// What a row's sums are depends on that row alone: neither on the rows around it nor on how K is cut.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/combine.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/tile_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Sizes of the pieces that a product is cut into. The defaults suit caches from 32 KiB (L1) and 256 KiB (L2) on.
struct Blocking {
  Index rows = 256;      ///< rows that share one filled panel
  Index panel_k = 2048;  ///< K of a panel at most; at most 65536, so that int32 sums cannot overflow
  friend constexpr bool operator==(const Blocking&, const Blocking&) = default;
};

/// Scratch memory of one worker.
struct BlockScratch {
  void* panel = nullptr;
  std::int32_t* d = nullptr;   ///< `[rows, 64]`
  std::int64_t* wide[4] = {};  ///< `[rows, 64]` each, for the general route
  float* sum = nullptr;        ///< `[rows, 64]`: the result

  /// Takes what a product of this blocking needs from `workspace`.
  static BlockScratch take(Workspace& workspace, const TileKernel& tile, const Blocking& blocking, Index rows,
                           int products) {
    BlockScratch scratch;
    const Index row_count = std::min(rows, blocking.rows);
    scratch.panel =
        workspace.take<std::uint8_t>(blocking.panel_k * PackedMatrix::block_rows * tile.panel_bytes_per_k).data();
    scratch.d = workspace.take<std::int32_t>(row_count * PackedMatrix::block_rows).data();
    scratch.sum = workspace.take<float>(row_count * PackedMatrix::block_rows).data();
    for (int i = 0; i < products; ++i) {
      scratch.wide[i] = workspace.take<std::int64_t>(row_count * PackedMatrix::block_rows).data();
    }
    return scratch;
  }
};

/// Activations as a tile kernel reads them: rows of each plane, prepared where the kernel wants that.
struct PreparedRows {
  EncodedRows x;
  std::array<const std::uint8_t*, 2> plane{};  ///< prepared rows
  Index row_stride = 0;                        ///< bytes
};

/// Whether the correction of all rows can stay in int32: one plane on either side, integer zeros, and
/// `K * max|a - z_m| * max|b - z_n|` below 2^31.
[[nodiscard]] inline bool fits_integers(const EncodedRows& x, const PackedMatrix& w) {
  if (x.plane_count != 1 || w.plane_count() != 1 || !w.zeros_are_integers()) return false;
  if (x.plane_weight[0] != 1.0f || w.plane_weight(0) != 1.0f) return false;
  float largest = 255;
  for (Index m = 0; m < x.rows; ++m) {
    const float zero = x.zero[m];
    if (!(std::fabs(zero) < 8388608.0f) || zero != std::nearbyint(zero)) return false;
    largest = std::max({largest, zero, 255 - zero});
  }
  const double bound = static_cast<double>(largest) * (128.0 + static_cast<double>(w.largest_zero()));
  return bound * static_cast<double>(std::min(w.layout().group, w.layout().k)) < 2147483648.0;
}

/// Float sums of rows [first_row, first_row + row_count) against column block b, in `scratch.sum` `[row_count, 64]`.
class BlockProduct {
 public:
  BlockProduct(const TileKernel& tile, const PreparedRows& rows, const PackedMatrix& w, const Blocking& blocking,
               bool use_integers, const BlockScratch& scratch)
      : tile_(tile), rows_(rows), w_(w), blocking_(blocking), use_integers_(use_integers), scratch_(scratch) {}

  void run(Index b, Index first_row, Index row_count) const {
    const Index columns = w_.tiles(b) * PackedMatrix::tile_rows;
    for (Index g = 0; g < w_.layout().groups(); ++g) {
      const Index begin = w_.layout().padded_begin(g), end = begin + w_.layout().padded_length(g);
      for (Index k = begin; k < end; k += blocking_.panel_k) {
        const Index length = std::min(blocking_.panel_k, end - k);
        for (int product = 0; product < product_count(); ++product) {
          multiply(b, product, k, length, first_row, row_count, k > begin);
        }
      }
      for (Index m = 0; m < row_count; ++m) combine(b, g, first_row, m, columns);
    }
  }

 private:
  [[nodiscard]] int product_count() const { return use_integers_ ? 1 : rows_.x.plane_count * w_.plane_count(); }

  /// The panel of weight plane r for this piece of K.
  [[nodiscard]] const void* panel(Index b, int r, Index k, Index length) const {
    const std::uint8_t* lines = w_.lines(r, b, k);
    if (w_.storage() == WeightStorage::nibbles) {
      tile_.fill_from_nibbles(lines, length, w_.tiles(b), w_.nibble_values(r).data(), scratch_.panel);
    } else if (tile_.fill_from_bytes != nullptr) {
      tile_.fill_from_bytes(lines, length, w_.tiles(b), scratch_.panel);
    } else {
      return lines;
    }
    return scratch_.panel;
  }

  void multiply(Index b, int product, Index k, Index length, Index first_row, Index row_count, bool accumulate) const {
    const int p = product / w_.plane_count(), r = product % w_.plane_count();
    const void* filled = panel(b, r, k, length);
    for (Index m = 0; m < row_count; m += tile_.max_rows) {
      const Index count = std::min<Index>(tile_.max_rows, row_count - m);
      const std::uint8_t* rows =
          rows_.plane[static_cast<std::size_t>(p)] + (first_row + m) * rows_.row_stride + k * tile_.row_bytes_per_k;
      std::int32_t* d = scratch_.d + m * PackedMatrix::block_rows;
      tile_.multiply(rows, rows_.row_stride, count, filled, length, w_.tiles(b), d, PackedMatrix::block_rows,
                     use_integers_ && accumulate ? 1 : 0);
      if (!use_integers_) widen_sums(scratch_.wide[product] + m * PackedMatrix::block_rows, d, count, accumulate);
    }
  }

  static void widen_sums(std::int64_t* wide, const std::int32_t* d, Index rows, bool accumulate) {
    for (Index i = 0; i < rows * PackedMatrix::block_rows; ++i) wide[i] = (accumulate ? wide[i] : 0) + d[i];
  }

  void combine(Index b, Index g, Index first_row, Index m, Index columns) const {
    const Index at = m * PackedMatrix::block_rows;
    if (use_integers_) {
      combine_integers(rows_.x, first_row + m, w_, g, b * PackedMatrix::block_rows, columns, scratch_.d + at,
                       scratch_.sum + at, g == 0);
    } else {
      const std::int64_t* dots[4] = {};
      for (int i = 0; i < 4; ++i) dots[i] = scratch_.wide[i] != nullptr ? scratch_.wide[i] + at : nullptr;
      combine_planes(rows_.x, first_row + m, w_, g, b * PackedMatrix::block_rows, columns, dots, scratch_.sum + at,
                     g == 0);
    }
  }

  const TileKernel& tile_;
  const PreparedRows& rows_;
  const PackedMatrix& w_;
  const Blocking& blocking_;
  bool use_integers_;
  const BlockScratch& scratch_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
