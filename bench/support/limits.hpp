#pragma once

/// \file
/// What this machine can do at most, measured by the program that reports shares of it.

#include <halfstep/kernels/tile_default.hpp>
#include <halfstep/simd/real_tile.hpp>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/clock.hpp"

namespace halfstep_bench {

/// Billions of operations (2 per multiply-add) per second of the register tile alone: operands that stay in L1, no
/// packing, no epilogue. One thread, best of several bursts.
inline double int8_limit_gops() {
  static const double limit = [] {
    using Tile = halfstep::TileKernel;
    const Tile& tile = halfstep::default_tile();
    constexpr std::int64_t k = 256;
    std::vector<std::uint8_t> rows(static_cast<std::size_t>(tile.max_rows * k * tile.row_bytes_per_k), 3);
    std::vector<std::uint8_t> panel(static_cast<std::size_t>(64 * k * tile.panel_bytes_per_k), 1);
    std::vector<std::int32_t> d(static_cast<std::size_t>(tile.max_rows * 64));
    double best = 0;
    for (int burst = 0; burst < 20; ++burst) {
      constexpr int calls = 2000;
      const double start = cpu_seconds();
      for (int call = 0; call < calls; ++call) {
        tile.multiply(rows.data(), k * tile.row_bytes_per_k, tile.max_rows, panel.data(), k, 4, d.data(), 64, 1);
        benchmark::ClobberMemory();
      }
      const double operations = 2.0 * calls * static_cast<double>(tile.max_rows * 64 * k);
      best = std::max(best, 1e-9 * operations / (cpu_seconds() - start));
    }
    return best;
  }();
  return limit;
}

/// Billions of float operations (2 per multiply-add) per second of the register tile on operands that stay in L1, as
/// the machine is just now: a few bursts of about 5 ms, one thread. For shares of runs that a neighbour slows down as
/// well.
inline double float_gflops_now() {
  using Tile = halfstep::simd::RealTile<float>;
  constexpr std::ptrdiff_t k = 128;
  std::vector<float> a(static_cast<std::size_t>(Tile::height * k), 1.0f);
  std::vector<float> b(static_cast<std::size_t>(Tile::width * k), 0.5f);
  std::vector<float> c(static_cast<std::size_t>(Tile::height * Tile::width));
  std::vector<double> rates;
  for (int burst = 0; burst < 9; ++burst) {
    constexpr int calls = 20000;
    const double start = cpu_seconds();
    for (int call = 0; call < calls; ++call) {
      Tile::add(k, a.data(), Tile::height, b.data(), c.data());
      benchmark::ClobberMemory();
    }
    rates.push_back(2e-9 * calls * static_cast<double>(Tile::height * Tile::width * k) / (cpu_seconds() - start));
  }
  return median(rates);
}

/// Billions of bytes per second that one thread reads from DRAM.
inline double dram_limit_gbps() {
  static const double limit = [] {
    std::vector<std::uint64_t> data(std::size_t{1} << 25, 1);  // 256 MiB, above any L3
    double best = 0;
    for (int burst = 0; burst < 4; ++burst) {
      const double start = cpu_seconds();
      std::uint64_t sum[8] = {};
      for (std::size_t i = 0; i < data.size(); i += 8) {
        for (std::size_t j = 0; j < 8; ++j) sum[j] += data[i + j];
      }
      for (const std::uint64_t part : sum) benchmark::DoNotOptimize(part);
      best = std::max(best, 1e-9 * 8.0 * static_cast<double>(data.size()) / (cpu_seconds() - start));
    }
    return best;
  }();
  return limit;
}

/// Bytes that no cache of this machine holds: twice the last level, or 128 MiB where that is not told or shared.
inline double cold_bytes() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return static_cast<double>(std::clamp(2 * cache, 64L << 20, 128L << 20));
}

}  // namespace halfstep_bench
