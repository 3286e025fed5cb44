#pragma once

/// \file
/// The float tile: rows of floats times a panel of floats, the product of weights that are kept in float.
///
///     panel of one lane tile:   k 0: n0 n1 ... n15 | k 1: n0 ... n15 | ...          64 bytes for each k
///
///                      w0      w1     ...  (vectors that make up 16 columns)
///                    ┌───────┬───────┬────
///     row 0:  x0 ──▶ │ sum00 │ sum01 │          each k: load the w's, then for every row broadcast its
///     row 1:  x1 ──▶ │ sum10 │ sum11 │          x and add the products to rows x vectors sums
///       ...          │       │       │
///                    └───────┴───────┴────
///
/// Every sum is one chain of `multiply_add` over ascending k, whatever the rows beside it and however K is cut: what
/// comes out depends on the row and the column alone. Class: bounded, bit-equal on all builds whose `multiply_add`
/// rounds equally often.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/tile_dot.hpp"
#include "halfstep/simd/batch.hpp"
#include "halfstep/simd/isa.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/multiply_add.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// What the float tile makes of sums that it finds.
enum class TileUpdate {
  set,      ///< sum = x w
  add,      ///< sum += x w
  subtract  ///< sum -= x w
};

/// Some rows against one lane tile.
struct FloatTile {
  static constexpr int vectors = static_cast<int>(lane_tile_rows / static_cast<Index>(simd::batch_lanes));
  /// Rows of a register tile: as many as leave registers for the weights and one x.
  static constexpr int max_rows = vectors == 1 ? 14 : (vectors == 2 || simd::has_neon ? 6 : 2);

  const float* x = nullptr;  ///< `[rows, k]`, contiguous along k
  Index x_stride = 0;
  const float* panel = nullptr;  ///< `[k, 16]`
  Index k = 0;
  float* sums = nullptr;  ///< `[rows, 16]`
  Index sums_stride = 0;
};

/// `Rows` rows of a float tile.
template <int Rows, TileUpdate Update>
void multiply_float_rows(const FloatTile& at) {
  using simd::FloatBatch;
  constexpr int vectors = FloatTile::vectors;
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  FloatBatch sum[Rows][vectors];
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    unrolled<vectors>([&](auto v) __attribute__((always_inline)) {
      sum[m][v] = Update == TileUpdate::set ? FloatBatch(0.0f)
                                            : simd::load<FloatBatch>(at.sums + m * at.sums_stride + v * lanes);
    });
  });
  const float* panel = at.panel;
  for (const float *x = at.x, *const end = at.x + at.k; x != end; ++x, panel += lane_tile_rows) {
    FloatBatch w[vectors];
    unrolled<vectors>([&](auto v) __attribute__((always_inline)) { w[v] = simd::load<FloatBatch>(panel + v * lanes); });
    unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
      const float value = x[m * at.x_stride];
      const FloatBatch factor(Update == TileUpdate::subtract ? -value : value);
      unrolled<vectors>([&](auto v) __attribute__((always_inline)) {
        sum[m][v] = simd::multiply_add(factor, w[v], sum[m][v]);
      });
    });
  }
  unrolled<Rows>([&](auto m) __attribute__((always_inline)) {
    unrolled<vectors>([&](auto v) __attribute__((always_inline)) {
      simd::store(at.sums + m * at.sums_stride + v * lanes, sum[m][v]);
    });
  });
}

/// `multiply_float_rows` for 1 .. Rows rows.
template <int Rows, TileUpdate Update>
void multiply_some_float_rows(Index rows, const FloatTile& at) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return multiply_some_float_rows<Rows - 1, Update>(rows, at);
  }
  multiply_float_rows<Rows, Update>(at);
}

/// All `rows` rows against one lane tile: the panel stays in L1 while x passes by.
template <TileUpdate Update>
void multiply_float_tile(Index rows, FloatTile at) {
  for (; rows > 0; rows -= FloatTile::max_rows) {
    multiply_some_float_rows<FloatTile::max_rows, Update>(rows < FloatTile::max_rows ? rows : FloatTile::max_rows, at);
    at.x += FloatTile::max_rows * at.x_stride;
    at.sums += FloatTile::max_rows * at.sums_stride;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
