#pragma once

/// \file
/// Tile kernels for weights whose bytes are small, where the one instruction that multiplies u8 by s8 saturates at 16
/// bits: some steps are added in 16 bits, then moved to the int32 sums. Twice the products per instruction of the word
/// route, which takes any bytes.
///
///     16-bit sums [6 rows][16 columns x 2]  ── as often as they fill up ──▶  int32 d [6][16], in L1
///
/// The panel is lines of bytes, as packed.

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_dot.hpp"
#include "halfstep/kernels/tile_kernel.hpp"
#include "halfstep/simd/line_step.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Rows of activations and lines of one lane tile, from some step on.
struct SmallSteps {
  const std::uint8_t* rows;
  std::int64_t row_stride;
  const std::uint8_t* lines;
  std::int64_t line_stride;
  std::int64_t steps;
  std::int32_t* d;
  std::int64_t d_stride;
};

/// `Rows` rows of one lane tile, added to d.
template <class Sums, int Rows>
void multiply_small_steps(const SmallSteps& at) {
  Sums sums[Rows][2];
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    sums[m][0].clear();
    sums[m][1].clear();
  });
  const std::uint8_t *rows = at.rows, *lines = at.lines;
  const std::int64_t row_stride = at.row_stride, d_stride = at.d_stride;
  std::int32_t* const d = at.d;
  for (std::int64_t s = 0; s < at.steps; ++s, lines += at.line_stride) {
    const auto w0 = Sums::load(lines), w1 = Sums::load(lines + Sums::bytes);
    unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
      const auto a = Sums::activations(rows + m * row_stride + 4 * s);
      sums[m][0].add(a, w0);
      sums[m][1].add(a, w1);
    });
  }
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    sums[m][0].add_to(d + m * d_stride);
    sums[m][1].add_to(d + m * d_stride + Sums::bytes / 4);
  });
}

/// `multiply_small_steps` for 1 .. Rows rows.
template <class Sums, int Rows>
void multiply_small_rows(std::int64_t row_count, const SmallSteps& at) {
  if constexpr (Rows > 1) {
    if (row_count < Rows) return multiply_small_rows<Sums, Rows - 1>(row_count, at);
  }
  multiply_small_steps<Sums, Rows>(at);
}

template <class Sums, int LargestValue>
void multiply_small_tile(const void* rows, std::int64_t row_stride, std::int64_t row_count, const void* panel,
                         std::int64_t k, std::int64_t tiles, std::int32_t* d, std::int64_t d_stride, int accumulate) {
  constexpr std::int64_t most = Sums::steps(LargestValue);
  const auto* const a = static_cast<const std::uint8_t*>(rows);
  const auto* const w = static_cast<const std::uint8_t*>(panel);
  for (std::int64_t m = 0; m < row_count && accumulate == 0; ++m) {
    for (std::int64_t n = 0; n < 16 * tiles; ++n) d[m * d_stride + n] = 0;
  }
  const std::int64_t stride = tiles * 64, all = k / 4;
  for (std::int64_t t = 0; t < tiles; ++t) {
    for (std::int64_t s = 0; s < all; s += most) {
      const std::int64_t steps = all - s < most ? all - s : most;
      multiply_small_rows<Sums, 6>(
          row_count, {a + 4 * s, row_stride, w + t * 64 + s * stride, stride, steps, d + t * 16, d_stride});
    }
  }
}

/// The kernel for magnitudes up to `LargestValue`.
template <class Sums, int LargestValue>
inline constexpr TileKernel small_values_tile{
    .name = "small values",
    .max_rows = 6,
    .row_bytes_per_k = 1,
    .panel_bytes_per_k = 1,
    .prepare_row = nullptr,
    .fill_from_bytes = nullptr,
    .fill_from_nibbles = &fill_byte_panel_from_nibbles,
    .multiply = &multiply_small_tile<Sums, LargestValue>,
    .largest_value = LargestValue,
};

}  // namespace halfstep::inline HALFSTEP_ABI
