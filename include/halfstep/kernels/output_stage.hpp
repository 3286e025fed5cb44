#pragma once

/// \file
/// What happens to a tile of sums while it is in L1: bias, activation function, residual.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/epilogue.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <algorithm>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {

/// Rows [row, row + rows) and columns [col, col + cols) of a product `[M, N]`, and its sums, `[rows, 64]`.
struct OutputTile {
  Index row = 0;
  Index rows = 0;
  Index col = 0;
  Index cols = 0;
  float* sums = nullptr;

  [[nodiscard]] float* sums_of(Index r) const { return sums + r * PackedMatrix::block_rows; }
};

/// `y = function(sum + bias) + residual`, one rounding each. Class: ordered.
struct OutputStage {
  VectorView bias;                   ///< `[N]`, or empty
  Epilogue function;                 ///< may be none
  MatrixView<const float> residual;  ///< `[M, N]`, or without data

  void apply(const OutputTile& tile) const {
    if (!bias.empty() || function.kind() != Epilogue::Kind::none) add_bias(tile);
    if (residual.data != nullptr) add_residual(tile);
  }

 private:
  /// One loop for each function, so that none is chosen inside of it.
  void add_bias(const OutputTile& tile) const {
    switch (function.kind()) {
      case Epilogue::Kind::none:
        return add_bias_and<Epilogue::Kind::none>(tile);
      case Epilogue::Kind::relu:
        return add_bias_and<Epilogue::Kind::relu>(tile);
      case Epilogue::Kind::gelu:
        return add_bias_and<Epilogue::Kind::gelu>(tile);
      case Epilogue::Kind::silu:
        return add_bias_and<Epilogue::Kind::silu>(tile);
    }
  }

  template <Epilogue::Kind Function>
  void add_bias_and(const OutputTile& tile) const {
    using simd::FloatBatch;
    float held[PackedMatrix::block_rows] = {};
    if (!bias.empty()) std::copy_n(bias.data + tile.col, tile.cols, held);
    for (Index n = 0; n < tile.cols; n += static_cast<Index>(simd::batch_lanes)) {
      const auto moved = simd::load<FloatBatch>(held + n);
      for (Index r = 0; r < tile.rows; ++r) {
        float* const row = tile.sums_of(r);
        FloatBatch y = simd::load<FloatBatch>(row + n);
        if (!bias.empty()) y += moved;
        simd::store(row + n, apply_epilogue(Function, y));
      }
    }
  }

  void add_residual(const OutputTile& tile) const {
    for (Index r = 0; r < tile.rows; ++r) {
      float* const row = tile.sums_of(r);
      const float* const from = residual.row(tile.row + r) + tile.col * residual.col_stride;
      if (residual.col_stride == 1) {
        for (Index n = 0; n < tile.cols; ++n) row[n] += from[n];
      } else {
        for (Index n = 0; n < tile.cols; ++n) row[n] += from[n * residual.col_stride];
      }
    }
  }
};

/// Writes a tile to its place in a matrix `[M, N]`.
inline void store_tile(const OutputTile& tile, const MatrixView<float>& out) {
  for (Index r = 0; r < tile.rows; ++r) {
    const float* const row = tile.sums_of(r);
    float* const to = &out(tile.row + r, tile.col);
    if (out.col_stride == 1) {
      std::memcpy(to, row, static_cast<std::size_t>(tile.cols) * sizeof(float));
    } else {
      for (Index n = 0; n < tile.cols; ++n) to[n * out.col_stride] = row[n];
    }
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
