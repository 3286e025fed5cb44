#pragma once

/// \file
/// The heart of every product: a tile of u8 rows times s8 columns into int32, as plain data and function pointers, so
/// that one can be chosen at run time. Implementations are in the headers beside this one.
///
/// This header is outside the inline namespace on purpose: it holds no function and depends on no flag, and a table
/// made in a unit compiled for one instruction set must be usable in a unit compiled for another.

#include <cstdint>

namespace halfstep {

/// One int8 tile kernel. All sizes in elements of the K axis are multiples of 16; a *line* is the 64-byte unit of
/// `PackedMatrix` (16 columns x 4 k as bytes, 16 columns x 8 k as nibbles); `tiles`, 1 to 4, counts the 16-column lane
/// tiles of a column block.
///
///     d[m][16 t + j]  (+)=  sum_k a[m][k] * panel(k, 16 t + j)          0 <= m < rows <= max_rows, 0 <= t < tiles
///
/// No step saturates. Sums stay in int32: the caller keeps k at 65793 or less from a zeroed d on. k may be 0, which
/// zeroes d.
struct TileKernel {
  const char* name;                ///< instruction set and route
  std::int64_t max_rows;           ///< rows of a tile
  std::int64_t row_bytes_per_k;    ///< bytes of one prepared activation
  std::int64_t panel_bytes_per_k;  ///< bytes of one k of one column in a panel

  /// Prepares `k` activations of one row; null where rows are read as they are.
  void (*prepare_row)(const std::uint8_t* row, std::int64_t k, void* prepared);
  /// Fills a panel from lines of bytes; null where lines are read as they are.
  void (*fill_from_bytes)(const std::uint8_t* lines, std::int64_t k, std::int64_t tiles, void* panel);
  /// Fills a panel from lines of nibbles; `values` are the 16 numbers that codes stand for.
  /// Null where `multiply_nibbles` is not.
  void (*fill_from_nibbles)(const std::uint8_t* lines, std::int64_t k, std::int64_t tiles, const std::int8_t* values,
                            void* panel);
  /// The product. `row_stride` is in bytes of prepared rows, `d_stride` in elements. `accumulate` 0 sets d, 1 adds to
  /// it.
  void (*multiply)(const void* rows, std::int64_t row_stride, std::int64_t row_count, const void* panel, std::int64_t k,
                   std::int64_t tiles, std::int32_t* d, std::int64_t d_stride, int accumulate);
  /// The same from lines of nibbles in place; null where a panel is filled from them.
  void (*multiply_nibbles)(const void* rows, std::int64_t row_stride, std::int64_t row_count, const std::uint8_t* lines,
                           std::int64_t k, std::int64_t tiles, const std::int8_t* values, std::int32_t* d,
                           std::int64_t d_stride, int accumulate) = nullptr;
  int largest_value = 128;           ///< weights of a larger magnitude are not for this kernel
  std::int64_t most_rows = 1 << 30;  ///< nor are products of more rows, for speed
  /// Faster kernels for some products, the best first, null after the last; or null. They are of the same instruction
  /// set and give the same sums.
  const TileKernel* const* special = nullptr;
};

}  // namespace halfstep
