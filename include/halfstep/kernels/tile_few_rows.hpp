#pragma once

/// \file
/// Tile kernels for a few rows of activations, as in decoding: packed lines are read once, in place, and 4-bit codes
/// become their values in registers.
///
///     column block:  step 0: tile 0, tile 1, tile 2, tile 3 | step 1: ...      lines, 64 bytes each, as they lie
///                      │
///                      └ a line or half of one ─▶ values ─▶ products with 4 (or 2 x 4) activations of a row ─▶ sums
///
/// One row takes all four lane tiles of a step side by side, two rows fewer: as many sums as registers hold. The lines
/// of a block stay in L2 in between.

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_dot.hpp"
#include "halfstep/kernels/tile_kernel.hpp"
#include "halfstep/simd/line_step.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What a kernel of a few rows multiplies: pointers move along lane tiles and rows.
struct FewRows {
  const std::uint8_t* rows;
  std::int64_t row_stride;
  const std::uint8_t* lines;
  std::int64_t line_stride;  ///< from a step to the next one
  std::int64_t k;
  const std::int8_t* values;  ///< of nibbles; null for bytes
  std::int32_t* d;
  std::int64_t d_stride;
  int accumulate;
};

/// How far ahead of the lines that are multiplied others are asked for: what passes while DRAM answers.
inline constexpr std::int64_t prefetched_bytes = 2048;

/// `Rows` rows against `Tiles` lane tiles. `PerLine` k stand in a line: 4 bytes or 8 nibbles of a column.
template <class Sums, int Rows, int Tiles, int PerLine>
void multiply_few_tiles(const FewRows& at) {
  using Register = typename Sums::Register;
  constexpr int parts = Tiles * 64 / Sums::bytes;
  Sums sums[Rows][parts];
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    unrolled<parts>([&](auto part) __attribute__((always_inline)) { sums[m][part].clear(); });
  });
  [[maybe_unused]] typename Sums::Table table{};
  if constexpr (PerLine == 8) table = Sums::table(at.values);
  const std::uint8_t* line = at.lines;
  for (std::int64_t k = 0; k < at.k; k += PerLine, line += at.line_stride) {
    Register a[Rows], b[Rows];
    unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
      a[m] = Sums::activations(at.rows + m * at.row_stride + k);
      if constexpr (PerLine == 8) b[m] = Sums::activations(at.rows + m * at.row_stride + k + 4);
    });
    unrolled<parts>([&](auto part) __attribute__((always_inline)) {
      const std::uint8_t* const from = line + Sums::bytes * part;
      if constexpr (part * Sums::bytes % 64 == 0) __builtin_prefetch(from + prefetched_bytes);
      const Register w = Sums::load(from);
      if constexpr (PerLine == 8) {
        const auto low = Sums::low_values(table, w), high = Sums::high_values(table, w);
        unrolled<Rows>([&](auto m) __attribute__((always_inline)) { sums[m][part].add(a[m], low, b[m], high); });
      } else {
        unrolled<Rows>([&](auto m) __attribute__((always_inline)) { sums[m][part].add(a[m], w); });
      }
    });
  }
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    unrolled<parts>([&](auto part) __attribute__((always_inline)) {
      sums[m][part].store_to(at.d + m * at.d_stride + Sums::bytes / 4 * part, at.accumulate);
    });
  });
}

/// `Rows` rows against `tiles` lane tiles, `Tiles` at a time.
template <class Sums, int Rows, int Tiles, int PerLine>
void multiply_few_blocks(FewRows at, std::int64_t tiles) {
  for (; tiles >= Tiles; tiles -= Tiles) {
    multiply_few_tiles<Sums, Rows, Tiles, PerLine>(at);
    at.lines += 64 * Tiles;
    at.d += 16 * Tiles;
  }
  if constexpr (Tiles > 1) multiply_few_blocks<Sums, Rows, Tiles / 2, PerLine>(at, tiles);
}

/// All `count` rows, two at a time, then one.
template <class Sums, int PerLine>
void multiply_few(FewRows at, std::int64_t count, std::int64_t tiles) {
  constexpr int most = 8 * Sums::bytes / 64 / Sums::registers;  // lane tiles of one row: 8 or 16 registers of sums
  constexpr int of_one = most < 4 ? most : 4, of_two = most / 2 < 1 ? 1 : of_one / 2;
  for (; count >= 2; count -= 2) {
    multiply_few_blocks<Sums, 2, of_two, PerLine>(at, tiles);
    at.rows += 2 * at.row_stride;
    at.d += 2 * at.d_stride;
  }
  if (count == 1) multiply_few_blocks<Sums, 1, of_one, PerLine>(at, tiles);
}

template <class Sums>
void multiply_few_bytes(const void* rows, std::int64_t row_stride, std::int64_t row_count, const void* panel,
                        std::int64_t k, std::int64_t tiles, std::int32_t* d, std::int64_t d_stride, int accumulate) {
  multiply_few<Sums, 4>({static_cast<const std::uint8_t*>(rows), row_stride, static_cast<const std::uint8_t*>(panel),
                         tiles * 64, k, nullptr, d, d_stride, accumulate},
                        row_count, tiles);
}

template <class Sums>
void multiply_few_nibbles(const void* rows, std::int64_t row_stride, std::int64_t row_count, const std::uint8_t* lines,
                          std::int64_t k, std::int64_t tiles, const std::int8_t* values, std::int32_t* d,
                          std::int64_t d_stride, int accumulate) {
  multiply_few<Sums, 8>(
      {static_cast<const std::uint8_t*>(rows), row_stride, lines, tiles * 64, k, values, d, d_stride, accumulate},
      row_count, tiles);
}

/// The kernel for up to 4 rows, where a panel would be filled for nothing: sums of lines of bytes, and of codes.
template <class Sums, class CodeSums = Sums>
inline constexpr TileKernel few_rows_tile{
    .name = "few rows",
    .max_rows = 4,
    .row_bytes_per_k = 1,
    .panel_bytes_per_k = 1,
    .prepare_row = nullptr,
    .fill_from_bytes = nullptr,
    .fill_from_nibbles = nullptr,
    .multiply = &multiply_few_bytes<Sums>,
    .multiply_nibbles = &multiply_few_nibbles<CodeSums>,
    .largest_value = Sums::largest_value,
    .most_rows = 4,
};

}  // namespace halfstep::inline HALFSTEP_ABI
