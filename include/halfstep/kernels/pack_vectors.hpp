#pragma once

/// \file
/// Weights of 8-bit codebooks in a kernel's order: each code becomes the bytes of its word, a plane for each stage.
/// What then multiplies is the same tile as for any other weight.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/residual_matrix.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/codebook.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Packs lane tiles of one stage, 16 rows at a time, with scratch memory of its own: one per worker. Row n of the
/// packed weight is row `first_row + n` of the matrix.
template <int Dim, int Words>
class VectorTilePacker {
 public:
  VectorTilePacker(const VectorMatrix<Int8Codebook<Dim, Words>>& matrix, Index first_row, int plane,
                   PackedMatrix& packed)
      : matrix_(matrix),
        first_row_(first_row),
        rows_(packed.rows()),
        plane_(plane),
        layout_(packed.layout()),
        writer_(packed),
        codes_(static_cast<std::size_t>(lane_tile_rows * matrix.vectors())),
        row_(static_cast<std::size_t>(matrix.cols())),
        bytes_(AlignedBuffer<std::uint8_t>::zeros(lane_tile_rows * stride())) {}

  void pack_tile(Index t) {
    if (words_fill_lines(t)) return write_words(t);
    for (Index i = 0; i < lane_tile_rows; ++i) {
      const Index n = t * lane_tile_rows + i;
      std::uint8_t* const bytes = bytes_.data() + i * stride();
      if (n < rows_) {
        pack_row(n, bytes);
      } else {
        pad_row(n, bytes);
      }
    }
    rows_to_byte_lines(bytes_.data(), stride(), layout_.padded_k(), writer_.lines(plane_, t, 0),
                       writer_.line_stride(t));
  }

 private:
  [[nodiscard]] Index stride() const { return scratch_row_stride(layout_.padded_k()); }

  /// Whether lines can be written word by word: whole words of 4 bytes, no padding, and one codebook for all 16 rows.
  [[nodiscard]] bool words_fill_lines(Index t) const {
    const Index first = t * lane_tile_rows, last = first + lane_tile_rows - 1;
    return Dim % 4 == 0 && layout_.k > 0 && layout_.is_plain() && layout_.padded_k() == layout_.k && last < rows_ &&
           matrix_.grid().granule(first_row_ + first, 0) == matrix_.grid().granule(first_row_ + last, 0);
  }

  /// Each code of 16 rows straight to its lines.
  void write_words(Index t) {
    const Index n0 = t * lane_tile_rows, vectors = matrix_.vectors(), line_stride = writer_.line_stride(t);
    for (Index i = 0; i < lane_tile_rows; ++i) matrix_.unpack_words(first_row_ + n0 + i, codes_.data() + i * vectors);
    Index g = 0;
    matrix_.for_each_run(first_row_ + n0, [&](Index granule, Index first, Index count) {
      const auto& codebook = matrix_.quantizer(granule);
      std::uint8_t* const lines = writer_.lines(plane_, t, first * Dim);
      write_run(codebook, first, count, lines, line_stride);
      std::int32_t sums[lane_tile_rows] = {};
      add_line_sums(lines, line_stride, count * Dim / 4, sums);
      for (Index i = 0; i < lane_tile_rows; ++i) set_group(n0 + i, g, sums[i], codebook.scale);
      ++g;
    });
  }

  /// The words of codes [first, first + count) of 16 rows.
  void write_run(const Int8Codebook<Dim, Words>& codebook, Index first, Index count, std::uint8_t* lines,
                 Index line_stride) const {
    const Index vectors = matrix_.vectors();
    for (Index v = first; v < first + count; ++v) {
      for (Index i = 0; i < lane_tile_rows; ++i) {
        const std::int8_t* const word = codebook.word(codes_[static_cast<std::size_t>(i * vectors + v)]);
        for (Index part = 0; part < Dim / 4; ++part) {
          std::memcpy(lines + part * line_stride + 4 * i, word + 4 * part, 4);
        }
      }
      lines += Dim / 4 * line_stride;
    }
  }

  void decode_row(Index n) {
    matrix_.unpack_words(n, codes_.data());
    matrix_.for_each_run(n, [&](Index granule, Index first, Index count) {
      const auto& codebook = matrix_.quantizer(granule);
      for (Index v = first; v < first + count; ++v) {
        std::memcpy(row_.data() + v * Dim, codebook.word(codes_[static_cast<std::size_t>(v)]), Dim);
      }
    });
  }

  /// Row n to `bytes`, group by group, and what goes with each.
  void pack_row(Index n, std::uint8_t* bytes) {
    decode_row(first_row_ + n);
    for (Index g = 0; g < layout_.groups(); ++g) {
      const Index begin = layout_.begin(g), length = layout_.length(g);
      if (length > 0) {
        std::memcpy(bytes + layout_.padded_begin(g), row_.data() + begin, static_cast<std::size_t>(length));
      }
      const bool has_scale = layout_.k > 0;
      set_group(n, g, sum_bytes(row_.data() + begin, length),
                has_scale ? matrix_.quantizer(matrix_.grid().granule(first_row_ + n, begin)).scale : 0.0f);
    }
  }

  /// Zeros for row n, past the last one.
  void pad_row(Index n, std::uint8_t* bytes) {
    if (layout_.padded_k() > 0) std::memset(bytes, 0, static_cast<std::size_t>(layout_.padded_k()));
    for (Index g = 0; g < layout_.groups(); ++g) set_group(n, g, 0, 0.0f);
  }

  /// Scale and zero are those of the first plane.
  void set_group(Index n, Index g, std::int32_t sum, float scale) {
    writer_.set_sum(plane_, g, n, sum);
    if (plane_ > 0) return;
    writer_.set_scale(g, n, scale);
    writer_.set_zero(g, n, 0.0f);
  }

  const VectorMatrix<Int8Codebook<Dim, Words>>& matrix_;
  Index first_row_;
  Index rows_;
  int plane_;
  const KLayout layout_;
  PackedMatrixWriter writer_;
  std::vector<std::uint8_t> codes_;
  std::vector<std::int8_t> row_;
  AlignedBuffer<std::uint8_t> bytes_;  // 16 rows, laid out; padding stays 0
};

/// The scale of every second codebook over that of its first. Errors: one that differs from granule to granule.
template <int Dim, int Words>
[[nodiscard]] float stage_ratio(const VectorMatrix<Int8Codebook<Dim, Words>>& first,
                                const VectorMatrix<Int8Codebook<Dim, Words>>& second) {
  if (first.grid().count() == 0) return 1;
  const float ratio = second.quantizer(0).scale / first.quantizer(0).scale;
  for (Index g = 0; g < first.grid().count(); ++g) {
    if (first.quantizer(g).scale * ratio == second.quantizer(g).scale) continue;
    raise("pack", "scales of the stages are ", first.quantizer(g).scale, " and ", second.quantizer(g).scale,
          " in granule ", g, ", expected the ratio ", ratio, " of granule 0: to_int8_stages gives such codebooks");
  }
  return ratio;
}

/// One or two stages of 8-bit codebooks under one tiling, as planes of one packed weight.
template <int Dim, int Words>
using Int8StageSpan = std::span<const VectorMatrix<Int8Codebook<Dim, Words>>>;

/// What the planes of stages have in common with a packed weight, checked.
template <int Dim, int Words>
class StagePlan {
 public:
  /// Errors: no stage or more than two; different shapes or tilings; scales whose ratio differs from granule to
  /// granule.
  explicit StagePlan(Int8StageSpan<Dim, Words> stages) : stages_(stages) {
    if (stages.empty() || stages.size() > 2) {
      raise("pack", "matrix has ", stages.size(), " stages, expected one or two");
    }
    require_stages("pack", stages);
    const auto& first = stages.front();
    layout_ = KLayout(first.cols(), first.grid().col_tiles() > 1 ? first.grid().tile_cols() : 0);
    if (stages.size() == 1) return;
    if (!(stages[1].tiling() == first.tiling())) raise("pack", "stages have different tilings");
    ratio_ = stage_ratio(first, stages[1]);
  }

  [[nodiscard]] const KLayout& layout() const { return layout_; }
  [[nodiscard]] Index rows() const { return stages_.front().rows(); }

  /// Rows [first_row, first_row + count) as a packed weight of their own, in memory that `packed` may have already.
  void pack_rows(Index first_row, Index count, PackedMatrix& packed, ExecutorRef executor) const {
    packed.reset(count, layout_, WeightStorage::bytes, static_cast<int>(stages_.size()));
    PackedMatrixWriter writer(packed);
    if (stages_.size() == 2) writer.set_plane_weight(1, ratio_);
    const Index tiles = packed.padded_rows() / lane_tile_rows;
    for (std::size_t p = 0; p < stages_.size(); ++p) {
      parallel_for(executor, tiles, band_grain(lane_tile_rows * layout_.k), [&](Index begin, Index end) {
        VectorTilePacker<Dim, Words> packer(stages_[p], first_row, static_cast<int>(p), packed);
        for (Index t = begin; t < end; ++t) packer.pack_tile(t);
      });
    }
    writer.finish();
  }

 private:
  Int8StageSpan<Dim, Words> stages_;
  KLayout layout_;
  float ratio_ = 1;
};

/// Brings the stages of a quantized weight `[out_features, in_features]`, one or two of the same tiling, into kernel
/// order: exact, as their words are 8-bit integers already. Blocks of columns become groups of the product. Reads the
/// codes once. Class: exact, for any executor. Errors: see `StagePlan`.
template <int Dim, int Words>
[[nodiscard]] PackedMatrix pack_stages(Int8StageSpan<Dim, Words> stages, ExecutorRef executor = {}) {
  const StagePlan<Dim, Words> plan(stages);
  PackedMatrix packed;
  plan.pack_rows(0, plan.rows(), packed, executor);
  return packed;
}

/// A weight of one 8-bit codebook per granule in kernel order: one plane.
template <int Dim, int Words>
[[nodiscard]] PackedMatrix pack(const VectorMatrix<Int8Codebook<Dim, Words>>& matrix, ExecutorRef executor = {}) {
  return pack_stages<Dim, Words>(std::span(&matrix, 1), executor);
}

/// A weight of one or two stages of 8-bit codebooks in kernel order: a plane for each. Errors: more stages; different
/// tilings; scales whose ratio differs from granule to granule.
template <int Dim, int Words>
[[nodiscard]] PackedMatrix pack(const ResidualMatrix<Int8Codebook<Dim, Words>>& matrix, ExecutorRef executor = {}) {
  return pack_stages<Dim, Words>(matrix.stages(), executor);
}

}  // namespace halfstep::inline HALFSTEP_ABI
