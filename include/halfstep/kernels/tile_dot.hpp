#pragma once

/// \file
/// The tile kernels of all instruction sets: one register tile over the vector steps of simd/tile_step.hpp.
///
///                      w0      w1     ...  (vectors of columns, `Step::vectors`)
///                    ┌───────┬───────┬────
///     row 0:  a0 ──▶ │ acc00 │ acc01 │          each step of k:  load the w's, then for every row
///     row 1:  a1 ──▶ │ acc10 │ acc11 │          broadcast its `Step::k` activations and add the
///       ...          │       │       │          products: rows x vectors independent sums
///                    └───────┴───────┴────
///
/// Byte routes read the packed lines in place. Word routes read a panel of int16, one lane tile after the other:
///
///     lane tile 0: (k 0-1: 16 columns x 2) (k 2-3) ... | lane tile 1: ...

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_kernel.hpp"
#include "halfstep/simd/tile_step.hpp"

#include <cstdint>
#include <type_traits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `body(0)` .. `body(Count - 1)` with compile-time constants. A loop would do, if g++ unrolled it before it
/// decides which arrays live in registers; it does so afterwards, and the sums of a tile would live in memory.
template <int Count, class Body>
[[gnu::always_inline]] inline void unrolled(const Body& body) {
  [&]<int... At>(std::integer_sequence<int, At...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, At>{}), ...);
  }
  (std::make_integer_sequence<int, Count>{});
}

/// Rows x vectors of sums over the whole of k. `line_stride` is the distance in bytes from one step of the same columns
/// to the next.
template <class Step, int Rows, int Vectors>
void multiply_registers(const std::uint8_t* rows, std::int64_t row_stride, const std::uint8_t* weights,
                        std::int64_t line_stride, std::int64_t k, std::int32_t* d, std::int64_t d_stride,
                        int accumulate) {
  constexpr std::int64_t step_bytes = 4;  // of one activation operand: 4 bytes or 2 words
  typename Step::Acc acc[Rows][Vectors];
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    unrolled<Vectors>([&](auto v) __attribute__((always_inline)) {
      acc[m][v] = accumulate != 0 ? Step::load(d + m * d_stride + v * Step::lanes) : Step::zero();
    });
  });
  const std::uint8_t* const end = rows + k / Step::k * step_bytes;
  for (const std::uint8_t* a = rows; a != end; a += step_bytes, weights += line_stride) {
    typename Step::Value w[Vectors];
    unrolled<Vectors>([&](auto v)
                          __attribute__((always_inline)) { w[v] = Step::weights(weights + v * Step::lanes * 4); });
    unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
      const typename Step::Value value = Step::broadcast(a + m * row_stride);
      unrolled<Vectors>([&](auto v) __attribute__((always_inline)) {
        acc[m][v] = simd::in_order(Step::step(acc[m][v], value, w[v]));
      });
    });
  }
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    unrolled<Vectors>([&](auto v) __attribute__((always_inline)) {
      Step::store(d + m * d_stride + v * Step::lanes, acc[m][v]);
    });
  });
}

/// `multiply_registers` for 1 .. Rows rows.
template <class Step, int Rows, int Vectors>
void multiply_rows(std::int64_t row_count, const std::uint8_t* rows, std::int64_t row_stride,
                   const std::uint8_t* weights, std::int64_t line_stride, std::int64_t k, std::int32_t* d,
                   std::int64_t d_stride, int accumulate) {
  if constexpr (Rows > 1) {
    if (row_count < Rows) {
      multiply_rows<Step, Rows - 1, Vectors>(row_count, rows, row_stride, weights, line_stride, k, d, d_stride,
                                             accumulate);
      return;
    }
  }
  multiply_registers<Step, Rows, Vectors>(rows, row_stride, weights, line_stride, k, d, d_stride, accumulate);
}

/// Byte routes: lines in place, `tiles` lane tiles side by side.
template <class Step>
void multiply_byte_tile(const void* rows, std::int64_t row_stride, std::int64_t row_count, const void* panel,
                        std::int64_t k, std::int64_t tiles, std::int32_t* d, std::int64_t d_stride, int accumulate) {
  const auto* a = static_cast<const std::uint8_t*>(rows);
  const auto* w = static_cast<const std::uint8_t*>(panel);
  const std::int64_t stride = tiles * 64;
  if constexpr (Step::lanes * Step::vectors == 64) {
    if (tiles == 4) {
      multiply_rows<Step, Step::rows, Step::vectors>(row_count, a, row_stride, w, stride, k, d, d_stride, accumulate);
      return;
    }
  }
  constexpr int per_tile = 16 / Step::lanes;
  for (std::int64_t t = 0; t < tiles; ++t) {
    multiply_rows<Step, Step::rows, per_tile>(row_count, a, row_stride, w + t * 64, stride, k, d + t * 16, d_stride,
                                              accumulate);
  }
}

/// Word routes: a panel of int16, lane tile by lane tile.
template <class Step>
void multiply_word_tile(const void* rows, std::int64_t row_stride, std::int64_t row_count, const void* panel,
                        std::int64_t k, std::int64_t tiles, std::int32_t* d, std::int64_t d_stride, int accumulate) {
  const auto* a = static_cast<const std::uint8_t*>(rows);
  const auto* w = static_cast<const std::uint8_t*>(panel);
  for (std::int64_t t = 0; t < tiles; ++t) {
    multiply_rows<Step, Step::rows, 16 / Step::lanes>(row_count, a, row_stride, w + t * k * 32, 64, k, d + t * 16,
                                                      d_stride, accumulate);
  }
}

/// A panel of bytes from lines of nibbles: twice as many lines.
inline void fill_byte_panel_from_nibbles(const std::uint8_t* lines, std::int64_t k, std::int64_t tiles,
                                         const std::int8_t* values, void* panel) {
  auto* out = static_cast<std::uint8_t*>(panel);
  for (std::int64_t step = 0; step < k / 8; ++step) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      std::uint8_t* low = out + (2 * step * tiles + t) * 64;
      simd::decode_nibble_line(lines + (step * tiles + t) * 64, values, low, low + tiles * 64);
    }
  }
}

/// A panel of int16 from lines of bytes.
inline void fill_word_panel_from_bytes(const std::uint8_t* lines, std::int64_t k, std::int64_t tiles, void* panel) {
  auto* out = static_cast<std::int16_t*>(panel);
  for (std::int64_t step = 0; step < k / 4; ++step) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      std::int16_t* first = out + t * k * 16 + step * 64;
      simd::widen_line(lines + (step * tiles + t) * 64, first, first + 32);
    }
  }
}

/// A panel of int16 from lines of nibbles.
inline void fill_word_panel_from_nibbles(const std::uint8_t* lines, std::int64_t k, std::int64_t tiles,
                                         const std::int8_t* values, void* panel) {
  auto* out = static_cast<std::int16_t*>(panel);
  for (std::int64_t step = 0; step < k / 8; ++step) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      alignas(64) std::uint8_t bytes[128];
      simd::decode_nibble_line(lines + (step * tiles + t) * 64, values, bytes, bytes + 64);
      std::int16_t* first = out + t * k * 16 + step * 128;
      simd::widen_line(bytes, first, first + 32);
      simd::widen_line(bytes + 64, first + 64, first + 96);
    }
  }
}

inline void widen_row(const std::uint8_t* row, std::int64_t k, void* prepared) {
  simd::widen_bytes(row, k, static_cast<std::int16_t*>(prepared));
}

/// The kernel of a word route.
template <class Step>
inline constexpr TileKernel word_tile{.name = Step::name,
                                      .max_rows = Step::rows,
                                      .row_bytes_per_k = 2,
                                      .panel_bytes_per_k = 2,
                                      .prepare_row = &widen_row,
                                      .fill_from_bytes = &fill_word_panel_from_bytes,
                                      .fill_from_nibbles = &fill_word_panel_from_nibbles,
                                      .multiply = &multiply_word_tile<Step>};

/// The kernel of a byte route.
template <class Step>
inline constexpr TileKernel byte_tile{
    Step::name, Step::rows, 1, 1, nullptr, nullptr, &fill_byte_panel_from_nibbles, &multiply_byte_tile<Step>};

}  // namespace halfstep::inline HALFSTEP_ABI
