#pragma once

/// \file
/// The product of some rows of activations with one column block of a packed weight.
///
///     for each group of K, and each piece of it that fits the cache:
///       fill the panels from the packed lines                    (nothing to do where lines are the panel)
///       for each row tile:  multiply into int32;  after the last piece of a group: correct, scale, add to float sums;
///                           after the last group: hand the sums on
///
/// What a row's sums are depends on that row alone: neither on the rows around it nor on how K is cut.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/combine.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/tile_kernel.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Activations as a tile kernel reads them: rows of each plane, prepared where the kernel wants that.
struct PreparedRows {
  EncodedRows x;
  std::array<const std::uint8_t*, 2> plane{};  ///< prepared rows
  Index row_stride = 0;                        ///< bytes
};

/// What all blocks of one product have in common.
struct BlockPlan {
  const TileKernel& tile;
  const PreparedRows& rows;
  const PackedMatrix& w;
  Index panel_k = 0;        ///< of a piece of K
  bool in_integers = true;  ///< whether the correction stays in int32,
  bool is_exact = true;     ///< or else is exact in double

  [[nodiscard]] int product_count() const { return rows.x.plane_count * w.plane_count(); }
  /// Whether the kernel reads 4-bit codes in the packed lines, with no panel in between.
  [[nodiscard]] bool reads_nibbles() const { return w.shares_lines() && tile.multiply_nibbles != nullptr; }
  /// Whether each group is one piece, so that its sums need not be kept for more than a row tile.
  [[nodiscard]] bool is_one_piece() const { return w.layout().padded_length(0) <= panel_k; }
  [[nodiscard]] bool is_one_group() const { return w.layout().groups() == 1; }
};

/// Scratch memory of one worker.
struct BlockScratch {
  static constexpr Index nibbles_k = 256;  ///< of the nibble lines that a few quarter lines become

  std::array<void*, 2> panel{};         ///< of each plane of the weight
  std::uint8_t* nibbles = nullptr;      ///< of a piece of quarter lines
  std::array<std::int32_t*, 4> dots{};  ///< `[rows, 64]` for each pair of planes: of a row tile, or of all rows
  std::array<double*, 4> wide{};        ///< the same over several pieces of K, where they may pass int32
  float* sums = nullptr;                ///< `[rows, 64]`: of a row tile, or of all rows

  /// Takes from `workspace` what blocks of up to `rows` rows need.
  static BlockScratch take(Workspace& workspace, const BlockPlan& plan, Index rows) {
    constexpr Index columns = PackedMatrix::block_rows;
    BlockScratch scratch;
    const Index k = std::min(plan.panel_k, plan.w.layout().padded_length(0));
    for (std::size_t r = 0; r < static_cast<std::size_t>(plan.w.plane_count()); ++r) {
      scratch.panel[r] = workspace.take<std::uint8_t>(k * columns * plan.tile.panel_bytes_per_k).data();
    }
    if (plan.w.storage() == WeightStorage::quarters) {
      scratch.nibbles = workspace.take<std::uint8_t>((plan.reads_nibbles() ? nibbles_k : k) * columns / 2).data();
    }
    const Index dot_rows = plan.is_one_piece() ? plan.tile.max_rows : rows;
    const bool is_wide = !plan.in_integers && !plan.is_one_piece();
    for (std::size_t i = 0; i < static_cast<std::size_t>(plan.product_count()); ++i) {
      scratch.dots[i] = workspace.take<std::int32_t>(dot_rows * columns).data();
      if (is_wide) scratch.wide[i] = workspace.take<double>(dot_rows * columns).data();
    }
    scratch.sums = workspace.take<float>((plan.is_one_group() ? plan.tile.max_rows : rows) * columns).data();
    return scratch;
  }
};

/// One worker's part of a product, column block by column block.
class BlockProduct {
 public:
  BlockProduct(const BlockPlan& plan, const BlockScratch& scratch) : plan_(plan), scratch_(scratch) {}

  /// Rows [first_row, first_row + row_count) of the activations against column block b. Calls `finish(row, count,
  /// sums)` with the float sums `[count, 64]` of rows [row, row + count), which it may change.
  template <class Finish>
  void run(Index b, Index first_row, Index row_count, Finish&& finish) const {
    for_each_group_tile(b, first_row, row_count, [&](Index g, Index m, Index count) {
      combine(b, g, first_row, m, count);
      if (g + 1 == plan_.w.layout().groups()) finish(first_row + m, count, sums_of(m));
    });
  }

  /// The same with the integer sums of one plane on either side over one group, as they are: no zeros, no scales. The
  /// plan must be in integers.
  template <class Finish>
  void run_integers(Index b, Index first_row, Index row_count, Finish&& finish) const {
    for_each_group_tile(b, first_row, row_count, [&](Index, Index m, Index count) {
      finish(first_row + m, count, scratch_.dots[0] + dots_at(m));
    });
  }

 private:
  /// Calls `done(g, m, count)` whenever the integer sums of group g of `count` rows from number m of the block on are
  /// complete.
  template <class Done>
  void for_each_group_tile(Index b, Index first_row, Index row_count, const Done& done) const {
    const KLayout& layout = plan_.w.layout();
    for (Index g = 0; g < layout.groups(); ++g) {
      const Index begin = layout.padded_begin(g), end = begin + layout.padded_length(g);
      Index k = begin;
      do {  // once even for a K of 0, whose sums are 0
        const Piece piece{b, k, std::min(plan_.panel_k, end - k), k > begin};
        const std::array<const void*, 2> panels = fill_panels(piece);
        k += piece.length;
        for (Index m = 0; m < row_count; m += plan_.tile.max_rows) {
          const Index count = std::min<Index>(plan_.tile.max_rows, row_count - m);
          multiply(panels, piece, first_row, m, count);
          if (k >= end) done(g, m, count);
        }
      } while (k < end);
    }
  }

  /// `length` of the laid-out K axis from k on, against column block `block`.
  struct Piece {
    Index block;
    Index k;
    Index length;
    bool continues;  // whether earlier pieces of the group have left sums
  };

  /// Where row m of the block, the first of its row tile, has its integers and its floats.
  [[nodiscard]] Index dots_at(Index m) const { return plan_.is_one_piece() ? 0 : m * PackedMatrix::block_rows; }
  [[nodiscard]] float* sums_of(Index m) const {
    return scratch_.sums + (plan_.is_one_group() ? 0 : m * PackedMatrix::block_rows);
  }

  /// The panels of the planes of the weight.
  [[nodiscard]] std::array<const void*, 2> fill_panels(const Piece& piece) const {
    const Index tiles = plan_.w.tiles(piece.block);
    std::array<const void*, 2> panels{};
    const bool is_quarters = plan_.w.storage() == WeightStorage::quarters && !plan_.reads_nibbles();
    if (is_quarters) {
      quarter_lines_to_nibble_lines(plan_.w.lines(0, piece.block, piece.k), piece.length, tiles, scratch_.nibbles);
    }
    for (int r = 0; r < plan_.w.plane_count(); ++r) {
      const auto at = static_cast<std::size_t>(r);
      const std::uint8_t* lines = is_quarters ? scratch_.nibbles : plan_.w.lines(r, piece.block, piece.k);
      void* const panel = scratch_.panel[at];
      panels[at] = panel;
      if (plan_.reads_nibbles()) {
        panels[at] = lines;
      } else if (plan_.w.shares_lines()) {
        plan_.tile.fill_from_nibbles(lines, piece.length, tiles, plan_.w.code_values(r).data(), panel);
      } else if (plan_.tile.fill_from_bytes != nullptr) {
        plan_.tile.fill_from_bytes(lines, piece.length, tiles, panel);
      } else {
        panels[at] = lines;
      }
    }
    return panels;
  }

  /// Adds a piece of K to the integer sums of a row tile, for each pair of planes.
  void multiply(const std::array<const void*, 2>& panels, const Piece& piece, Index first_row, Index m,
                Index count) const {
    const PreparedRows& rows = plan_.rows;
    const Index row_offset = (first_row + m) * rows.row_stride + piece.k * plan_.tile.row_bytes_per_k;
    const int accumulate = plan_.in_integers && piece.continues ? 1 : 0;
    for (int product = 0; product < plan_.product_count(); ++product) {
      const auto p = static_cast<std::size_t>(product / plan_.w.plane_count());
      const auto r = static_cast<std::size_t>(product % plan_.w.plane_count());
      const auto at = static_cast<std::size_t>(product);
      std::int32_t* const dots = scratch_.dots[at] + dots_at(m);
      multiply_plane(rows.plane[p] + row_offset, count, panels[r], piece, static_cast<int>(r), dots, accumulate);
      if (scratch_.wide[at] == nullptr) continue;
      for (Index i = 0; i < count; ++i) widen_dots(piece, dots, scratch_.wide[at] + dots_at(m), i);
    }
  }

  /// One pair of planes: a panel, or lines that the kernel reads in place.
  void multiply_plane(const std::uint8_t* rows, Index count, const void* panel, const Piece& piece, int r,
                      std::int32_t* dots, int accumulate) const {
    const Index stride = plan_.rows.row_stride, tiles = plan_.w.tiles(piece.block);
    constexpr Index columns = PackedMatrix::block_rows;
    const auto* const lines = static_cast<const std::uint8_t*>(panel);
    if (plan_.reads_nibbles() && plan_.w.storage() == WeightStorage::quarters) {
      multiply_quarters(rows, count, lines, piece, r, dots, accumulate);
    } else if (plan_.reads_nibbles()) {
      plan_.tile.multiply_nibbles(rows, stride, count, lines, piece.length, tiles, plan_.w.code_values(r).data(), dots,
                                  columns, accumulate);
    } else {
      plan_.tile.multiply(rows, stride, count, panel, piece.length, tiles, dots, columns, accumulate);
    }
  }

  /// The same from quarter lines, a few of which at a time become nibble lines in L1.
  void multiply_quarters(const std::uint8_t* rows, Index count, const std::uint8_t* lines, const Piece& piece, int r,
                         std::int32_t* dots, int accumulate) const {
    const Index tiles = plan_.w.tiles(piece.block);
    Index k = 0;
    do {  // once even for a K of 0
      const Index length = std::min(BlockScratch::nibbles_k, piece.length - k);
      quarter_lines_to_nibble_lines(lines + k * tiles * 4, length, tiles, scratch_.nibbles);
      plan_.tile.multiply_nibbles(rows + k * plan_.tile.row_bytes_per_k, plan_.rows.row_stride, count, scratch_.nibbles,
                                  length, tiles, plan_.w.code_values(r).data(), dots, PackedMatrix::block_rows,
                                  accumulate);
      k += length;
      accumulate = 1;
    } while (k < piece.length);
  }

  /// Adds the integer sums of row i of a row tile to those of the pieces before.
  void widen_dots(const Piece& piece, const std::int32_t* dots, double* wide, Index i) const {
    const Index begin = i * PackedMatrix::block_rows;
    const Index end = begin + plan_.w.tiles(piece.block) * PackedMatrix::tile_rows;
    for (Index n = begin; n < end; ++n) wide[n] = (piece.continues ? wide[n] : 0.0) + static_cast<double>(dots[n]);
  }

  /// The integer sums of a row tile over group g become floats.
  void combine(Index b, Index g, Index first_row, Index m, Index count) const {
    const Index columns = plan_.w.tiles(b) * PackedMatrix::tile_rows;
    CombineSpan at{plan_.rows.x, plan_.w, first_row + m, g, b * PackedMatrix::block_rows, columns, count};
    float* sums = sums_of(m);
    if (plan_.in_integers) return combine_integers(at, scratch_.dots[0] + dots_at(m), sums);
    at.rows = 1;
    for (Index row = dots_at(m), i = 0; i < count; ++i) {
      if (plan_.is_one_piece()) {
        combine_row(at, rows_at(scratch_.dots, row), sums);
      } else {
        combine_row(at, rows_at(scratch_.wide, row), sums);
      }
      row += PackedMatrix::block_rows;
      sums += PackedMatrix::block_rows;
      ++at.m;
    }
  }

  template <class Dot>
  void combine_row(const CombineSpan& at, const std::array<const Dot*, 4>& dots, float* sums) const {
    plan_.is_exact ? combine_exact<Dot>(at, dots, sums) : combine_reals<Dot>(at, dots, sums);
  }

  /// The sums from `offset` on of all pairs of planes.
  template <class Dot>
  [[nodiscard]] std::array<const Dot*, 4> rows_at(const std::array<Dot*, 4>& sums, Index offset) const {
    std::array<const Dot*, 4> rows{};
    for (std::size_t i = 0; i < static_cast<std::size_t>(plan_.product_count()); ++i) rows[i] = sums[i] + offset;
    return rows;
  }

  const BlockPlan& plan_;
  const BlockScratch& scratch_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
