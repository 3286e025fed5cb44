#pragma once

/// \file
/// Panels of floats, what the float tile multiplies with: a piece of K of one column block, a lane tile after the
/// other.
///
///     lane tile 0: (k 0: n0 ... n15) (k 1: n0 ... n15) ... | lane tile 1: ...        tiles lie `tile_stride` floats
///     apart
///
/// From a packed weight every element becomes `scale * (sum_p weight_p * plane_p - zero)`, or `scale * level` where the
/// codes are minifloats: for one plane and for minifloats the float that `decode` gives. Class: ordered.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/bits.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"
#include "halfstep/simd/transpose.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {

/// What a panel holds beyond the K it is asked for: lines are decoded whole.
inline constexpr Index float_panel_slack = 16;

/// Scale and zero of the rows of a lane tile.
struct LaneTileScale {
  const float* scale = nullptr;
  const float* zero = nullptr;
};

/// The four bytes of each row [first, first + lanes) of a line.
[[nodiscard]] inline simd::IntBatch line_words(const std::uint8_t* line, Index first) {
  return simd::load_words(line + 4 * first);
}

/// s8 values of one or two planes, four k to a line.
struct BytePlaneReader {
  static constexpr int per_line = 4;
  std::array<const std::uint8_t*, 2> lines{};
  std::array<float, 2> weight{1, 1};
  int plane_count = 1;

  /// Calls `write(i, floats)` for the k of line `offset` bytes on, i < 4, rows [first, first + lanes).
  template <class Write>
  void read(Index offset, Index first, Write&& write) const {
    const simd::IntBatch words = line_words(lines[0] + offset, first);
    const simd::IntBatch more = plane_count == 2 ? line_words(lines[1] + offset, first) : simd::IntBatch(0);
    for (int i = 0; i < per_line; ++i) {
      const auto value_of = [&](simd::IntBatch word, float factor) {
        return simd::pinned(simd::to_float((word << (24 - 8 * i)) >> 24) * simd::FloatBatch(factor));
      };
      simd::FloatBatch value = value_of(words, weight[0]);
      if (plane_count == 2) value += value_of(more, weight[1]);
      write(i, value);
    }
  }
};

/// Codes of 2 or 4 bits with a table: 16 or eight k to a line.
template <int Bits>
struct CodeReader {
  static constexpr int per_line = 32 / Bits;
  const std::uint8_t* lines = nullptr;
  std::array<float, 16> levels{};

  template <class Write>
  void read(Index offset, Index first, Write&& write) const {
    const simd::IntBatch words = line_words(lines + offset, first);
    for (int i = 0; i < per_line; ++i) {
      const int at = 8 * (i % 4) + Bits * (i / 4);
      const simd::IntBatch code = simd::shift_right_logical(words, at) & simd::IntBatch((1 << Bits) - 1);
      write(i, simd::lookup<16>(levels.data(), code));
    }
  }
};

/// 8-bit minifloats, four k to a line.
struct MinifloatReader {
  static constexpr int per_line = 4;
  const std::uint8_t* lines = nullptr;
  MinifloatCode format;

  template <class Write>
  void read(Index offset, Index first, Write&& write) const {
    const simd::IntBatch words = line_words(lines + offset, first);
    for (int i = 0; i < per_line; ++i) {
      write(i, format.decode(simd::shift_right_logical(words, 8 * i) & simd::IntBatch(255)));
    }
  }
};

/// `count` k of one lane tile: `panel(k, n) = scale_n * (value(k, n) - zero_n)`. `line_stride` in bytes.
template <class Reader>
void fill_lane_tile(const Reader& reader, Index line_stride, Index count, const LaneTileScale& scales, float* panel) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  for (Index first = 0; first < lane_tile_rows; first += lanes) {
    const auto scale = simd::load<simd::FloatBatch>(scales.scale + first);
    const auto zero = simd::load<simd::FloatBatch>(scales.zero + first);
    float* out = panel + first;
    Index offset = 0;
    for (Index k = 0; k < count; k += Reader::per_line, offset += line_stride) {
      reader.read(offset, first, [&](int i, simd::FloatBatch value) {
        simd::store(out + i * lane_tile_rows, (value - zero) * scale);
      });
      out += Reader::per_line * lane_tile_rows;
    }
  }
}

/// What the codes of nibbles and quarters stand for, all planes together.
[[nodiscard]] inline std::array<float, 16> code_levels(const PackedMatrix& w) {
  std::array<float, 16> levels{};
  for (std::size_t code = 0; code < levels.size(); ++code) {
    for (int p = 0; p < w.plane_count(); ++p) {
      levels[code] += simd::pinned(w.plane_weight(p) * static_cast<float>(w.code_values(p)[code]));
    }
  }
  return levels;
}

/// The same for a run of `count` k within one group, from position `k` of the laid-out K axis on, a multiple of 16 from
/// the start of the group.
inline void fill_lane_tile_from(const PackedMatrix& w, Index b, Index t, Index k, Index count,
                                const LaneTileScale& scales, float* panel) {
  const Index stride = w.line_stride(b);
  const auto lines = [&](int p) { return w.lines(p, b, k) + t * 64; };
  switch (w.storage()) {
    case WeightStorage::nibbles:
      return fill_lane_tile(CodeReader<4>{lines(0), code_levels(w)}, stride, count, scales, panel);
    case WeightStorage::quarters:
      return fill_lane_tile(CodeReader<2>{lines(0), code_levels(w)}, stride, count, scales, panel);
    case WeightStorage::minifloats:
      return fill_lane_tile(MinifloatReader{lines(0), w.minifloat()}, stride, count, scales, panel);
    case WeightStorage::bytes:
      break;
  }
  const bool two = w.plane_count() == 2;
  const BytePlaneReader reader{
      {lines(0), two ? lines(1) : nullptr}, {w.plane_weight(0), two ? w.plane_weight(1) : 1}, w.plane_count()};
  fill_lane_tile(reader, stride, count, scales, panel);
}

/// Where a piece of K that starts at element `k` and takes at most `limit` elements (at least 16) ends: K, or an
/// element at which lines start.
[[nodiscard]] inline Index end_of_float_piece(const KLayout& layout, Index k, Index limit) {
  if (layout.k - k <= limit) return layout.k;
  const Index end = k + limit;
  return end - (end - layout.begin(end / layout.group)) % KLayout::k_step;
}

/// Elements [k, end) of the K axis of column block b: a piece as `end_of_float_piece` cuts it.
inline void fill_float_panel(const PackedMatrix& w, Index b, Index k, Index end, float* panel, Index tile_stride) {
  const KLayout& layout = w.layout();
  for (Index at = k; at < end;) {
    const Index g = at / layout.group;
    const Index count = std::min(end, layout.begin(g) + layout.length(g)) - at;
    for (Index t = 0; t < w.tiles(b); ++t) {
      const Index n = b * PackedMatrix::block_rows + t * lane_tile_rows;
      fill_lane_tile_from(w, b, t, layout.position(at), count, {w.scale(g) + n, w.zero(g) + n},
                          panel + t * tile_stride + (at - k) * lane_tile_rows);
    }
    at += count;
  }
}

/// `count` k of up to 16 rows of a float matrix, read as `w(row, k)`; rows beyond `rows` are zeros. Rows or columns
/// contiguous is fast, anything else is not.
inline void fill_lane_tile_from(const MatrixView<const float>& w, Index rows, float* panel) {
  if (w.row_stride == 1 && rows == lane_tile_rows) {
    for (Index k = 0; k < w.cols; ++k)
      std::copy_n(w.data + k * w.col_stride, lane_tile_rows, panel + k * lane_tile_rows);
    return;
  }
  Index k = 0;
  if (w.col_stride == 1 && rows == lane_tile_rows) {
    for (; k + simd::transpose_size <= w.cols; k += simd::transpose_size) {
      for (Index n = 0; n < lane_tile_rows; n += simd::transpose_size) {
        simd::transpose_block(w.data + n * w.row_stride + k, w.row_stride, panel + k * lane_tile_rows + n,
                              lane_tile_rows);
      }
    }
  }
  for (; k < w.cols; ++k) {
    for (Index n = 0; n < lane_tile_rows; ++n) panel[k * lane_tile_rows + n] = n < rows ? w(n, k) : 0.0f;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
