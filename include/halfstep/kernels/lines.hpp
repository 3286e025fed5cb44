#pragma once

/// \file
/// Between rows of bytes and the lines of a packed weight: 16 rows of K side by side, 4 bytes of each to a line.
///
///     byte line j:    n0: k 4j..4j+3 | n1: k 4j..4j+3 | ... | n15                 64 bytes
///     nibble line j:  n0: (k 8j | k 8j+4 << 4) (k 8j+1 | k 8j+5 << 4) ... | n1 ...  64 bytes for 16 x 8 codes
///
///     quarter line j: 2-bit codes: n0: (k 16j | k 16j+4 << 2 | k 16j+8 << 4 | k 16j+12 << 6) ...   64 bytes for 16 x
///     16
///
/// `k` is a multiple of 16 throughout, `line_stride` the distance in bytes between lines of the same lane tile.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/batch.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/memory.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {

/// Rows of a lane tile.
inline constexpr Index lane_tile_rows = 16;

/// How far apart the 16 rows of a lane tile lie in scratch memory, where each has `k` bytes: a power of two would give
/// all of them the same places in cache.
[[nodiscard]] constexpr Index scratch_row_stride(Index k) { return k + 64; }

/// The four bytes at `p`, the first lowest.
[[nodiscard]] inline std::uint32_t load_four(const std::uint8_t* p) {
  std::uint32_t word = 0;
  std::memcpy(&word, p, 4);
  return word;
}
inline void store_four(std::uint8_t* p, std::uint32_t word) { std::memcpy(p, &word, 4); }

/// 16 rows of `k` bytes, `row_stride` apart, into byte lines.
inline void rows_to_byte_lines(const std::uint8_t* rows, Index row_stride, Index k, std::uint8_t* lines,
                               Index line_stride) {
  for (Index i = 0; i < k; i += 4, lines += line_stride) {
    for (Index n = 0; n < lane_tile_rows; ++n) store_four(lines + 4 * n, load_four(rows + n * row_stride + i));
  }
}

/// Adds to `sums[n]` the signed bytes of row n < 16 in `count` byte lines.
inline void add_line_sums(const std::uint8_t* lines, Index line_stride, Index count, std::int32_t* sums) {
  constexpr Index most = 256;  // lines of a sum in 16 bits: 256 * 128 fits
  for (; count > 0; count -= most, lines += most * line_stride) {
    std::int16_t columns[64] = {};
    for (Index i = 0; i < std::min(count, most); ++i) {
      const std::uint8_t* const line = lines + i * line_stride;
      for (Index j = 0; j < 64; ++j)
        columns[j] = static_cast<std::int16_t>(columns[j] + static_cast<std::int8_t>(line[j]));
    }
    for (Index j = 0; j < 64; ++j) sums[j / 4] += columns[j];
  }
}

/// 16 rows of `k` codes below 16 into nibble lines.
inline void rows_to_nibble_lines(const std::uint8_t* rows, Index row_stride, Index k, std::uint8_t* lines,
                                 Index line_stride) {
  for (Index i = 0; i < k; i += 8, lines += line_stride) {
    for (Index n = 0; n < lane_tile_rows; ++n) {
      const std::uint8_t* row = rows + n * row_stride + i;
      store_four(lines + 4 * n, load_four(row) | load_four(row + 4) << 4);
    }
  }
}

/// 16 rows of `k` codes below 4 into quarter lines.
inline void rows_to_quarter_lines(const std::uint8_t* rows, Index row_stride, Index k, std::uint8_t* lines,
                                  Index line_stride) {
  for (Index i = 0; i < k; i += 16, lines += line_stride) {
    for (Index n = 0; n < lane_tile_rows; ++n) {
      const std::uint8_t* row = rows + n * row_stride + i;
      store_four(lines + 4 * n,
                 load_four(row) | load_four(row + 4) << 2 | load_four(row + 8) << 4 | load_four(row + 12) << 6);
    }
  }
}

/// One quarter line as the two nibble lines with the same codes.
inline void quarter_line_to_nibble_lines(const std::uint8_t* line, std::uint8_t* first, std::uint8_t* second) {
  using simd::IntBatch;
  constexpr auto bytes = 4 * static_cast<Index>(simd::batch_lanes);
  const IntBatch low(0x03030303), high(0x30303030);
  for (Index i = 0; i < 64; i += bytes) {
    const IntBatch codes = simd::load_words(line + i);
    const IntBatch half = simd::shift_right_logical(codes, 4);
    simd::store_words(first + i, (codes & low) | ((codes << 2) & high));
    simd::store_words(second + i, (half & low) | ((half << 2) & high));
  }
}

/// `k` k of `tiles` lane tiles side by side: each quarter line becomes two nibble lines.
inline void quarter_lines_to_nibble_lines(const std::uint8_t* lines, Index k, Index tiles, std::uint8_t* nibbles) {
  const Index step = tiles * 64;
  for (Index i = 0; i < k; i += 16, lines += step, nibbles += 2 * step) {
    for (Index j = 0; j < step; j += 64) quarter_line_to_nibble_lines(lines + j, nibbles + j, nibbles + step + j);
  }
}

/// 4 columns of 16 bytes each (k, k + 1, k + 2, k + 3 of 16 rows) into one byte line.
inline void columns_to_byte_line(const std::uint8_t* columns, Index column_stride, std::uint8_t* line) {
  std::uint32_t words[lane_tile_rows];
  for (Index n = 0; n < lane_tile_rows; ++n) {
    const std::uint8_t* c = columns + n;
    words[n] = std::uint32_t{c[0]} | std::uint32_t{c[column_stride]} << 8 | std::uint32_t{c[2 * column_stride]} << 16 |
               std::uint32_t{c[3 * column_stride]} << 24;
  }
  std::memcpy(line, words, sizeof words);
}

/// Row `n` < 16 out of byte lines, `k` bytes.
inline void byte_lines_to_row(const std::uint8_t* lines, Index line_stride, Index n, Index k, std::uint8_t* row) {
  for (Index i = 0; i < k; i += 4, lines += line_stride) store_four(row + i, load_four(lines + 4 * n));
}

/// Row `n` < 16 out of nibble lines, `k` codes.
inline void nibble_lines_to_row(const std::uint8_t* lines, Index line_stride, Index n, Index k, std::uint8_t* row) {
  for (Index i = 0; i < k; i += 8, lines += line_stride) {
    const std::uint32_t word = load_four(lines + 4 * n);
    store_four(row + i, word & 0x0f0f0f0fu);
    store_four(row + i + 4, word >> 4 & 0x0f0f0f0fu);
  }
}

/// Row `n` < 16 out of quarter lines, `k` codes.
inline void quarter_lines_to_row(const std::uint8_t* lines, Index line_stride, Index n, Index k, std::uint8_t* row) {
  for (Index i = 0; i < k; i += 16, lines += line_stride) {
    const std::uint32_t word = load_four(lines + 4 * n);
    for (Index part = 0; part < 4; ++part) store_four(row + i + 4 * part, word >> (2 * part) & 0x03030303u);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
