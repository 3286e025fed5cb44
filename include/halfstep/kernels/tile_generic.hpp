#pragma once

/// \file
/// The tile kernel in plain C++: the reference for the others, and what runs where no faster one is compiled in.

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_kernel.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Lines of nibbles become lines of bytes: the low halves of a line, then its high halves.
inline void fill_from_nibbles_generic(const std::uint8_t* lines, std::int64_t k, std::int64_t tiles,
                                      const std::int8_t* values, void* panel) {
  auto* out = static_cast<std::int8_t*>(panel);
  for (std::int64_t step = 0; step < k / 8; ++step) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::uint8_t* line = lines + (step * tiles + t) * 64;
      std::int8_t* low = out + (2 * step * tiles + t) * 64;
      std::int8_t* high = low + tiles * 64;
      for (int i = 0; i < 64; ++i) {
        low[i] = values[line[i] & 15];
        high[i] = values[line[i] >> 4];
      }
    }
  }
}

inline void multiply_generic(const void* rows, std::int64_t row_stride, std::int64_t row_count, const void* panel,
                             std::int64_t k, std::int64_t tiles, std::int32_t* d, std::int64_t d_stride,
                             int accumulate) {
  for (std::int64_t m = 0; m < row_count; ++m) {
    const auto* row = static_cast<const std::uint8_t*>(rows) + m * row_stride;
    std::int32_t* out = d + m * d_stride;
    for (std::int64_t n = 0; n < tiles * 16; ++n) {
      const auto* column = static_cast<const std::int8_t*>(panel) + n / 16 * 64 + n % 16 * 4;
      std::int32_t sum = accumulate != 0 ? out[n] : 0;
      for (std::int64_t i = 0; i < k; ++i) sum += row[i] * column[i / 4 * tiles * 64 + i % 4];
      out[n] = sum;
    }
  }
}

inline constexpr TileKernel tile_generic{"generic",        8, 1, 1, nullptr, nullptr, &fill_from_nibbles_generic,
                                         &multiply_generic};

}  // namespace halfstep::inline HALFSTEP_ABI
