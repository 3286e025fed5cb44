#pragma once

/// \file
/// A tile kernel run on plain bytes, through whatever panels it wants.

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "halfstep/kernels/tile_kernel.hpp"
#include "support/catch.hpp"

namespace halfstep_tests {

/// Bytes of one kind: random, or the extremes that a saturating instruction would get wrong.
enum class Fill { random, extremes };

/// How the lines of a weight hold its columns.
enum class Lines { bytes, nibbles };

template <class T>
std::vector<T> tile_bytes(std::size_t count, Fill fill, T extreme, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<T> result(count);
  for (T& byte : result) byte = fill == Fill::random ? static_cast<T>(generator()) : extreme;
  return result;
}

/// The operands of one tile, and what d holds before.
struct TileProduct {
  std::vector<std::uint8_t> rows;
  std::int64_t count = 1, row_stride = 0;
  std::vector<std::uint8_t> lines;
  Lines kind = Lines::bytes;
  std::int64_t k = 0, tiles = 1;
  const std::int8_t* values = nullptr;  ///< what nibbles stand for
};

/// d of `tile`, 64 elements a row, all 11 before.
inline std::vector<std::int32_t> multiply(const halfstep::TileKernel& tile, const TileProduct& p, int accumulate) {
  halfstep::AlignedBuffer<std::uint8_t> panel(p.k * p.tiles * 16 * tile.panel_bytes_per_k);
  halfstep::AlignedBuffer<std::uint8_t> prepared(p.count * p.row_stride * tile.row_bytes_per_k);
  const void* read_rows = p.rows.data();
  std::int64_t stride = p.row_stride;
  if (tile.prepare_row != nullptr) {
    stride = p.row_stride * tile.row_bytes_per_k;
    for (std::int64_t m = 0; m < p.count; ++m) {
      tile.prepare_row(p.rows.data() + m * p.row_stride, p.k, prepared.data() + m * stride);
    }
    read_rows = prepared.data();
  }
  std::vector<std::int32_t> d(static_cast<std::size_t>(p.count * 64), 11);
  const void* filled = p.lines.data();
  if (p.kind == Lines::nibbles && tile.multiply_nibbles != nullptr) {
    tile.multiply_nibbles(read_rows, stride, p.count, p.lines.data(), p.k, p.tiles, p.values, d.data(), 64, accumulate);
    return d;
  }
  if (p.kind == Lines::nibbles) {
    tile.fill_from_nibbles(p.lines.data(), p.k, p.tiles, p.values, panel.data());
    filled = panel.data();
  } else if (tile.fill_from_bytes != nullptr) {
    tile.fill_from_bytes(p.lines.data(), p.k, p.tiles, panel.data());
    filled = panel.data();
  }
  tile.multiply(read_rows, stride, p.count, filled, p.k, p.tiles, d.data(), 64, accumulate);
  return d;
}

/// Bytes of a weight brought to magnitudes of at most `largest`.
inline void keep_small(std::vector<std::uint8_t>& lines, int largest) {
  for (std::uint8_t& byte : lines) {
    const int value = static_cast<std::int8_t>(byte);
    if (value < -largest || value > largest) byte = static_cast<std::uint8_t>(value < 0 ? -largest : largest);
  }
}

/// Checks `tile` against the generic one for equality: every number of rows and lane tiles, both kinds of lines, values
/// up to those that it is made for.
inline void check_tile(const halfstep::TileKernel& tile) {
  CAPTURE(tile.name, tile.largest_value, tile.most_rows);
  const int least = -tile.largest_value, step = tile.largest_value * 2 / 15;
  for (const Fill fill : {Fill::random, Fill::extremes}) {
    std::int8_t values[16];
    for (int i = 0; i < 16; ++i) values[i] = static_cast<std::int8_t>(fill == Fill::random ? step * i + least : least);
    for (const std::int64_t k : {0, 16, 32, 48, 80, 1040}) {
      for (std::int64_t tiles = 1; tiles <= 4; ++tiles) {
        for (std::int64_t rows = 1; rows <= tile.max_rows; ++rows) {
          for (const Lines kind : {Lines::bytes, Lines::nibbles}) {
            const bool is_nibbles = kind == Lines::nibbles;
            TileProduct p{.rows = {}, .count = rows, .row_stride = (k + 63) / 64 * 64 + 64, .lines = {}};
            p.kind = kind, p.k = k, p.tiles = tiles, p.values = values;
            p.rows = tile_bytes<std::uint8_t>(static_cast<std::size_t>(rows * p.row_stride), fill, 255, 1);
            p.lines = tile_bytes<std::uint8_t>(static_cast<std::size_t>(k * tiles * (is_nibbles ? 8 : 16)), fill,
                                               is_nibbles ? 0x0f : 0x80, 2);
            if (!is_nibbles) keep_small(p.lines, tile.largest_value);
            for (const int accumulate : {0, 1}) {
              REQUIRE(multiply(tile, p, accumulate) == multiply(halfstep::tile_generic, p, accumulate));
            }
          }
        }
      }
    }
  }
}

}  // namespace halfstep_tests
