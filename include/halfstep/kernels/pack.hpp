#pragma once

/// \file
/// From codes in logical order to a kernel's order. The way back is in kernels/unpack.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/pack_plan.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Packs lane tiles, 16 rows at a time, with scratch memory of its own: one per worker.
template <ScalarQuantizer Q>
class TilePacker {
 public:
  TilePacker(const QuantizedMatrix<Q>& matrix, const PackPlan<Q>& plan, PackedMatrix& packed)
      : matrix_(matrix),
        plan_(plan),
        layout_(packed.layout()),
        packed_(packed),
        writer_(packed),
        row_(static_cast<std::size_t>(matrix.cols())),
        codes_(AlignedBuffer<std::uint8_t>::zeros(lane_tile_rows * stride())) {
    for (AlignedBuffer<std::uint8_t>& plane : values_) plane = codes_;
  }

  void pack_tile(Index t) {
    for (Index i = 0; i < lane_tile_rows; ++i) {
      const Index n = t * lane_tile_rows + i;
      if (n < matrix_.rows()) {
        lay_out(n, codes_.data() + i * stride());
        for (Index g = 0; g < layout_.groups(); ++g) pack_group(n, i, g);
      } else {
        clear_row(n, i);
      }
    }
    if (packed_.storage() == WeightStorage::nibbles) {
      rows_to_nibble_lines(codes_.data(), stride(), layout_.padded_k(), writer_.lines(0, t, 0), writer_.line_stride(t));
      return;
    }
    if (packed_.storage() == WeightStorage::quarters) {
      rows_to_quarter_lines(codes_.data(), stride(), layout_.padded_k(), writer_.lines(0, t, 0),
                            writer_.line_stride(t));
      return;
    }
    for (int p = 0; p < packed_.plane_count(); ++p) {
      rows_to_byte_lines(plane(p), stride(), layout_.padded_k(), writer_.lines(p, t, 0), writer_.line_stride(t));
    }
  }

 private:
  [[nodiscard]] Index stride() const { return scratch_row_stride(layout_.padded_k()); }
  [[nodiscard]] std::uint8_t* plane(int p) { return values_[static_cast<std::size_t>(p)].data(); }

  /// The codes of row n at their places on the laid-out K axis; padding is 0 and stays so.
  void lay_out(Index n, std::uint8_t* row) {
    const GroupOrder& order = plan_.order();
    if (order.order.empty() && layout_.is_plain()) return matrix_.unpack_row(n, row);
    matrix_.unpack_row(n, row_.data());
    for (Index g = 0; g < layout_.groups(); ++g) {
      std::uint8_t* const group = row + layout_.padded_begin(g);
      const Index begin = layout_.begin(g);
      for (Index i = 0; i < layout_.length(g); ++i) group[i] = row_[static_cast<std::size_t>(order.column(begin + i))];
    }
  }

  /// The values of group g of row n, number i of the tile, with their scale, zero and sums.
  void pack_group(Index n, Index i, Index g) {
    LoweringScale scale{0.0f, 0.0f};
    const PlaneMaps* maps = &plan_.shared_maps();
    if (layout_.k > 0) {
      const Index granule = matrix_.grid().granule(n, plan_.order().column(layout_.begin(g)));
      if (plan_.is_shared()) {
        scale = plan_.shared_scale(granule);
      } else {
        if (granule != granule_index_) granule_ = plan_.granule(granule);
        granule_index_ = granule;
        maps = &granule_.maps;
        scale = granule_.scale;
      }
    }
    writer_.set_scale(g, n, scale.unit);
    writer_.set_zero(g, n, scale.zero);
    const Index at = i * stride() + layout_.padded_begin(g);
    for (int p = 0; p < packed_.plane_count(); ++p) {
      (*maps)[static_cast<std::size_t>(p)].apply(codes_.data() + at, layout_.length(g), plane(p) + at);
      if (packed_.needs_floats()) continue;
      writer_.set_sum(p, g, n, sum_bytes(reinterpret_cast<const std::int8_t*>(plane(p) + at), layout_.length(g)));
    }
  }

  /// A row of padding: all zeros.
  void clear_row(Index n, Index i) {
    const auto bytes = static_cast<std::size_t>(layout_.padded_k());
    if (bytes > 0) std::memset(codes_.data() + i * stride(), 0, bytes);
    for (int p = 0; p < packed_.plane_count(); ++p) {
      if (bytes > 0) std::memset(plane(p) + i * stride(), 0, bytes);
      for (Index g = 0; g < layout_.groups() && !packed_.needs_floats(); ++g) writer_.set_sum(p, g, n, 0);
    }
    for (Index g = 0; g < layout_.groups(); ++g) {
      writer_.set_scale(g, n, 0.0f);
      writer_.set_zero(g, n, 0.0f);
    }
  }

  const QuantizedMatrix<Q>& matrix_;
  const PackPlan<Q>& plan_;
  const KLayout layout_;
  PackedMatrix& packed_;
  PackedMatrixWriter writer_;
  PackedGranule granule_;  // the last one, where maps are not shared
  Index granule_index_ = -1;
  std::vector<std::uint8_t> row_;
  AlignedBuffer<std::uint8_t> codes_;                  // 16 rows, laid out
  std::array<AlignedBuffer<std::uint8_t>, 2> values_;  // 16 rows of each plane
};

/// Brings a quantized weight `[out_features, in_features]` into kernel order, once. Codes of up to 4 bits whose planes
/// are the same for all granules stay 4-bit codes with a table; 8-bit minifloats (FP8, MXFP8) stay codes, which meet
/// activations that are kept in float; everything else becomes bytes. Reads the codes once.
///
/// Errors: a tiling whose groups along K cannot be laid side by side; a quantizer whose codes take more bits than are
/// stated. Class: exact, for any executor; `unpack_codes` and `unpack` are the inverse.
template <ScalarQuantizer Q>
[[nodiscard]] PackedMatrix pack(const QuantizedMatrix<Q>& matrix, ExecutorRef executor = {}) {
  simd::require_cpu();
  if constexpr (stated_bits<Q>() != Q::bits) {
    raise("pack", "codes take ", Q::bits, " bits where ", stated_bits<Q>(), " are stated: such a quantizer is for ",
          "activations, expected one whose codes hold all its outputs (another zero policy)");
  }
  const PackPlan<Q> plan(matrix, executor);
  PackedMatrix packed(matrix.rows(), plan.layout(), plan.storage(), plan.plane_count());
  PackedMatrixWriter writer(packed);
  writer.set_input_order(plan.order().order);
  if constexpr (HasMinifloatCode<Q>) writer.set_minifloat(Q::minifloat_code);
  for (int p = 0; p < plan.plane_count() && !packed.needs_floats(); ++p) {
    writer.set_plane_weight(p, plan.plane_weight(p));
    if (plan.is_shared()) {
      writer.set_code_values(p, level_count<Q>, plan.shared_maps()[static_cast<std::size_t>(p)].table());
    }
  }
  const Index tiles = packed.padded_rows() / lane_tile_rows;
  parallel_for(executor, tiles, band_grain(lane_tile_rows * matrix.cols()), [&](Index begin, Index end) {
    TilePacker<Q> packer(matrix, plan, packed);
    for (Index t = begin; t < end; ++t) packer.pack_tile(t);
  });
  writer.finish();
  return packed;
}

}  // namespace halfstep::inline HALFSTEP_ABI
