#pragma once

/// \file
/// From codes in logical order to a kernel's order, and back.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a tiling becomes groups along K: the group size, and the order of columns that makes groups contiguous
/// (empty: as they are).
struct GroupOrder {
  Index group = 0;
  std::vector<std::int32_t> order;
};

/// Groups of a column map must have one size, but for the last, which may be shorter.
[[nodiscard]] inline GroupOrder group_order(const Tiling& tiling, Index cols) {
  if (!tiling.is_column_map()) return {tiling.tile_cols, {}};
  GroupOrder result;
  result.order.resize(static_cast<std::size_t>(cols));
  std::iota(result.order.begin(), result.order.end(), 0);
  const auto group_of = [&](std::int32_t c) { return tiling.column_groups[static_cast<std::size_t>(c)]; };
  std::stable_sort(result.order.begin(), result.order.end(),
                   [&](std::int32_t a, std::int32_t b) { return group_of(a) < group_of(b); });
  result.group = std::count(tiling.column_groups.begin(), tiling.column_groups.end(), 0);
  for (Index i = 0; i < cols; ++i) {
    const std::int32_t group = group_of(result.order[static_cast<std::size_t>(i)]);
    if (group != i / result.group) {
      raise("pack", "column map has groups of different sizes (group ", i / result.group, " does not have ",
            result.group, " columns as group 0 has); only the last may be shorter");
    }
  }
  return result;
}

/// What plane values are lowered by to fit s8: the zero all granules share, if that fits (it then vanishes), or the
/// middle of the plane.
[[nodiscard]] inline int plane_offset(const BytePlane& plane, int levels, float common_zero) {
  int least = plane.values[0], largest = plane.values[0];
  for (int code = 1; code < levels; ++code) {
    least = std::min<int>(least, plane.values[static_cast<std::size_t>(code)]);
    largest = std::max<int>(largest, plane.values[static_cast<std::size_t>(code)]);
  }
  if (std::fabs(common_zero) < 512.0f && common_zero == std::nearbyint(common_zero)) {
    const int zero = static_cast<int>(common_zero);
    if (least - zero >= -128 && largest - zero <= 127) return zero;
  }
  if (least >= -128 && largest <= 127 && least < 0) return 0;
  return (least + largest + 1) / 2;
}

/// Packs row n of `matrix` into `writer`.
template <ScalarQuantizer Q>
class RowPacker {
 public:
  RowPacker(const QuantizedMatrix<Q>& matrix, const GroupOrder& order, PackedMatrix& packed)
      : matrix_(matrix),
        order_(order),
        packed_(packed),
        writer_(packed),
        codes_(static_cast<std::size_t>(matrix.cols())) {}

  void pack_row(Index n, WeightStorage storage, float common_zero) {
    matrix_.unpack_row(n, codes_.data());
    for (Index g = 0; g < packed_.layout().groups(); ++g) {
      const Index first = packed_.layout().begin(g);
      const Lowering lowering = lower(matrix_.quantizer_at(n, source_column(first)));
      float zero = lowering.zero;
      for (int p = 0; p < lowering.plane_count; ++p) zero -= pack_group(n, g, p, storage, lowering, common_zero);
      writer_.set_scale(g, n, lowering.unit);
      writer_.set_zero(g, n, zero);
      if (storage == WeightStorage::nibbles) {
        for (Index k = first; k < first + packed_.layout().length(g); ++k) writer_.set_nibble(n, k, code_at(k));
      }
    }
  }

 private:
  [[nodiscard]] Index source_column(Index k) const {
    return order_.order.empty() ? k : Index{order_.order[static_cast<std::size_t>(k)]};
  }
  [[nodiscard]] std::uint8_t code_at(Index k) const { return codes_[static_cast<std::size_t>(source_column(k))]; }

  /// Returns what the plane's offset moves the zero by.
  float pack_group(Index n, Index g, int p, WeightStorage storage, const Lowering& lowering, float common_zero) {
    const BytePlane& plane = lowering.planes[static_cast<std::size_t>(p)];
    const int offset = plane_offset(plane, level_count<Q>, common_zero);
    std::int32_t sum = 0;
    const Index first = packed_.layout().begin(g);
    for (Index k = first; k < first + packed_.layout().length(g); ++k) {
      const int value = plane.values[code_at(k)] - offset;
      sum += value;
      if (storage == WeightStorage::bytes) writer_.set_value(p, n, k, value);
    }
    writer_.set_sum(p, g, n, sum);
    return plane.weight * static_cast<float>(offset);
  }

  const QuantizedMatrix<Q>& matrix_;
  const GroupOrder& order_;
  PackedMatrix& packed_;
  PackedMatrixWriter writer_;
  std::vector<std::uint8_t> codes_;
};

/// Brings a quantized weight `[out_features, in_features]` into kernel order, once. Codes of 2 to 4 bits whose planes
/// are the same for all granules stay 4-bit codes with a table; everything else becomes bytes.
///
/// Errors: a tiling whose groups along K cannot be laid side by side. Exact; `unpack_codes` is the inverse.
template <ScalarQuantizer Q>
[[nodiscard]] PackedMatrix pack(const QuantizedMatrix<Q>& matrix, ExecutorRef executor = {}) {
  const GroupOrder order = group_order(matrix.tiling(), matrix.cols());
  const Index granules = matrix.grid().count();
  const Lowering first = lower(granules > 0 ? matrix.quantizer(0) : Q{});
  bool shared = true, common = true;
  for (Index i = 1; i < granules; ++i) {
    const Lowering lowering = lower(matrix.quantizer(i));
    shared = shared && lowering.planes == first.planes && lowering.plane_count == first.plane_count;
    common = common && lowering.zero == first.zero;
  }
  const float common_zero = common && first.plane_count == 1 ? first.zero : 1e9f;
  const WeightStorage storage = Q::bits <= 4 && shared ? WeightStorage::nibbles : WeightStorage::bytes;
  PackedMatrix packed(matrix.rows(), KLayout(matrix.cols(), order.group), storage, first.plane_count);
  PackedMatrixWriter writer(packed);
  writer.set_input_order(order.order);
  for (int p = 0; p < first.plane_count; ++p) {
    const BytePlane& plane = first.planes[static_cast<std::size_t>(p)];
    writer.set_plane_weight(p, plane.weight);
    std::array<std::int8_t, 16> values{};
    const int offset = plane_offset(plane, level_count<Q>, common_zero);
    for (int code = 0; code < std::min(16, level_count<Q>); ++code) {
      values[static_cast<std::size_t>(code)] =
          static_cast<std::int8_t>(plane.values[static_cast<std::size_t>(code)] - offset);
    }
    writer.set_nibble_values(p, values);
  }
  parallel_for(executor, matrix.rows(), band_grain(matrix.cols()), [&](Index begin, Index end) {
    RowPacker<Q> packer(matrix, order, packed);
    for (Index n = begin; n < end; ++n) packer.pack_row(n, storage, common_zero);
  });
  writer.finish();
  return packed;
}

}  // namespace halfstep::inline HALFSTEP_ABI
