#pragma once

/// \file
/// From floats to codes and back: `quantize`, `dequantize`, `fake_quantize`.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/encode_row.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/kernels/row_range.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How `quantize` chooses parameters.
struct QuantizeOptions {
  Tiling tiling = per_tensor();
  Symmetry symmetry = Symmetry::affine;            ///< for quantizers that know the difference
  ScaleStorage scale_storage = ScaleStorage::f32;  ///< codes are made with the scale as it is stored
  ExecutorRef executor = {};                       ///< results do not depend on it
};

/// `q` with its scale as the storage type gives it back.
template <ScalarQuantizer Q>
[[nodiscard]] Q with_stored_scale(Q q, ScaleStorage storage) {
  if constexpr (HasScale<Q>) q.scale = stored_scale(q.scale, storage);
  return q;
}

/// Encodes row r of `source` with the quantizers that `result` holds.
template <ScalarQuantizer Q>
void encode_into_row(const float* source, Index r, QuantizedMatrix<Q>& result, std::uint8_t* codes) {
  result.grid().for_each_run(r, [&](Index granule, Index first, Index count) {
    encode_row(result.quantizer(granule), source + first, count, codes + first);
  });
  result.set_row(r, codes);
}

/// What of a `Range` is asked for: a sum of |x| costs as much as both ends.
enum class RangeParts { ends, ends_and_mean };

/// The ranges of all granules of `matrix` `[rows, cols]` under the tiling of `grid`, in granule order. Elements must be
/// finite: the first that is not is refused by position, in the name of the call `where`. Reads the matrix once.
/// Class: exact; the mean of |x| ordered, summed in double over chunks of 64 rows of a granule.
template <class T>
[[nodiscard]] std::vector<Range> granule_ranges(std::string_view where, MatrixView<const T> matrix,
                                                const TilingGrid& grid, ExecutorRef executor,
                                                RangeParts parts = RangeParts::ends_and_mean) {
  // Bands of rows that no granule boundary crosses, so that no two tasks touch the same running range.
  const Index band_rows = std::min<Index>(grid.tile_rows(), 64);
  const Index bands_per_tile = chunk_count(grid.tile_rows(), band_rows);
  const Index bands = grid.row_tiles() * bands_per_tile;
  std::vector<RunningRange> running(static_cast<std::size_t>(bands * grid.col_tiles()));
  parallel_for(executor, bands, band_grain(band_rows * matrix.cols), [&](Index first, Index last) {
    std::vector<float> scratch(static_cast<std::size_t>(matrix.cols));
    for (Index band = first; band < last; ++band) {
      const Index tile = band / bands_per_tile;
      const Index begin = tile * grid.tile_rows() + band % bands_per_tile * band_rows;
      const Index end = std::min({begin + band_rows, (tile + 1) * grid.tile_rows(), matrix.rows});
      RunningRange* const ranges = running.data() + band * grid.col_tiles();
      for (Index r = begin; r < end; ++r) {
        const float* row = read_row(matrix, r, scratch.data());
        grid.for_each_run(r, [&](Index granule, Index col, Index count) {
          RunningRange& range = ranges[granule - tile * grid.col_tiles()];
          if (!widen(range, row + col, count)) require_finite_row(where, "matrix", row, r, matrix.cols);
          if (parts == RangeParts::ends_and_mean) add_abs(range, row + col, count);
        });
      }
    }
  });
  std::vector<Range> ranges;
  ranges.reserve(static_cast<std::size_t>(grid.count()));
  for (Index g = 0; g < grid.count(); ++g) {
    const Index tile = g / grid.col_tiles(), col_tile = g % grid.col_tiles();
    RunningRange all;
    for (Index band = tile * bands_per_tile; band < (tile + 1) * bands_per_tile; ++band) {
      all.merge(running[static_cast<std::size_t>(band * grid.col_tiles() + col_tile)]);
    }
    ranges.push_back(all.range());
  }
  return ranges;
}

/// Codes of `matrix` under quantizers that were chosen elsewhere, one per granule of `tiling` (in granule order).
/// NaN and infinities encode as the quantizer documents. Class: exact.
///
/// Errors: another number of quantizers than granules; scales to be stored as E4M3 without a tensor scale.
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] QuantizedMatrix<Q> quantize_with(const M& matrix, const std::vector<Q>& quantizers,
                                               const QuantizeOptions& options = {}) {
  const auto source = view(matrix);
  require_readable("quantize_with", "matrix", source);
  if (options.scale_storage == ScaleStorage::e4m3 && !HasTensorScale<Q>) {
    raise("quantize", "scale_storage is e4m3, which reaches from 2^-6 to 448 only: expected a quantizer with a tensor ",
          "scale, such as NVFP4");
  }
  QuantizedMatrix<Q> result(shape_of(source), options.tiling, options.scale_storage);
  if (static_cast<Index>(quantizers.size()) != result.grid().count()) {
    raise("quantize_with", "quantizers has ", quantizers.size(), " entries, the tiling of a matrix of shape ",
          shape_of(source), " has ", result.grid().count(), " granules");
  }
  for (Index g = 0; g < result.grid().count(); ++g) {
    result.set_quantizer(g, with_stored_scale(quantizers[static_cast<std::size_t>(g)], result.scale_storage()));
  }
  parallel_for(options.executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    std::vector<float> scratch(static_cast<std::size_t>(source.cols));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(source.cols));
    for (Index r = first; r < last; ++r) encode_into_row(read_row(source, r, scratch.data()), r, result, codes.data());
  });
  return result;
}

/// Quantizes `matrix` `[rows, cols]` to the nearest codes, the parameters of each granule fitted to its range
/// (min-max). Any Eigen matrix, map, block or `MatrixView` of float, double, F16 or BF16, in any storage order.
///
/// Errors: an element that is not finite, named by row and column; a column map that does not fit. Reads the matrix
/// twice. Class: exact, for any executor (quantizers that scale by the mean of |x|: ordered).
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] QuantizedMatrix<Q> quantize(const M& matrix, const QuantizeOptions& options = {}) {
  simd::require_cpu();
  const auto source = view(matrix);
  require_readable("quantize", "matrix", source);
  const TilingGrid grid(options.tiling, shape_of(source));
  std::vector<Q> quantizers;
  quantizers.reserve(static_cast<std::size_t>(grid.count()));
  const RangeParts parts = reads_mean_abs<Q>() ? RangeParts::ends_and_mean : RangeParts::ends;
  for (const Range& range : granule_ranges("quantize", source, grid, options.executor, parts)) {
    quantizers.push_back(fit<Q>(range, options.symmetry));
  }
  return quantize_with<Q>(source, quantizers, options);
}

/// The real values that the codes stand for, `[rows, cols]`. Class: exact.
template <ScalarQuantizer Q>
[[nodiscard]] MatrixF dequantize(const QuantizedMatrix<Q>& matrix, ExecutorRef executor = {}) {
  MatrixF values(matrix.rows(), matrix.cols());
  parallel_for(executor, matrix.rows(), band_grain(matrix.cols()), [&](Index first, Index last) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(matrix.cols()));
    for (Index r = first; r < last; ++r) {
      matrix.unpack_row(r, codes.data());
      float* row = values.data() + r * matrix.cols();
      matrix.grid().for_each_run(r, [&](Index granule, Index begin, Index count) {
        decode_row(matrix.quantizer(granule), codes.data() + begin, count, row + begin);
      });
    }
  });
  return values;
}

/// `decode(encode(x))` of every element under one quantizer, `[rows, cols]`: what the codes would stand for. Class:
/// exact.
template <ScalarQuantizer Q, Viewable M>
[[nodiscard]] MatrixF fake_quantize(const M& matrix, const Q& q, ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("fake_quantize", "matrix", source);
  MatrixF values(source.rows, source.cols);
  parallel_for(executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      float* out = values.data() + r * source.cols;
      fake_quantize_row(q, read_row(source, r, out), source.cols, out);
    }
  });
  return values;
}

}  // namespace halfstep::inline HALFSTEP_ABI
