#pragma once

/// \file
/// Activations as kernels read them: planes of u8, scale and zero of each row, sums of each row's planes.
///
///     one row of a plane:   | group 0, padded to 16 bytes | group 1 | ... |    64-byte aligned, padding is 0
///
/// Padding multiplies whatever stands opposite it by zero, and the sums count real elements only.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/k_layout.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Planes in memory that somebody else owns. `T` is `std::uint8_t` where they may be written.
struct EncodedRows {
  Index rows = 0;
  KLayout layout;
  int plane_count = 1;
  std::array<float, 2> plane_weight{1, 1};
  Index row_stride = 0;                  ///< bytes from row to row, a multiple of 64
  std::array<std::uint8_t*, 2> plane{};  ///< `[rows, row_stride]` each
  float* scale = nullptr;                ///< `[rows]`
  float* zero = nullptr;                 ///< `[rows]`, in units of the planes' sum
  std::array<std::int32_t*, 2> sum{};    ///< `[rows, layout.groups()]` each: sum of the plane over the group

  [[nodiscard]] static Index stride_for(const KLayout& layout) { return (layout.padded_k() + 63) / 64 * 64; }
};

/// Lays the codes of one row out as plane p of row r, and sums it per group.
inline void write_plane(const Activation& activation, int p, const std::uint8_t* codes, Index r,
                        const EncodedRows& out) {
  const auto at = static_cast<std::size_t>(p);
  const KLayout& layout = out.layout;
  std::uint8_t* plane = out.plane[at] + r * out.row_stride;
  const std::array<std::uint8_t, 256>& bytes = activation.plane_bytes(p);
  for (Index g = 0; g < layout.groups(); ++g) {
    std::uint8_t* group = plane + layout.padded_begin(g);
    const std::uint8_t* group_codes = codes + layout.begin(g);
    const Index length = layout.length(g);
    if (activation.plane_is_codes(p)) {
      std::memcpy(group, group_codes, static_cast<std::size_t>(length));
    } else {
      for (Index i = 0; i < length; ++i) group[i] = bytes[group_codes[i]];
    }
    std::memset(group + length, 0, static_cast<std::size_t>(layout.padded_length(g) - length));
    std::int32_t sum = 0;
    for (Index i = 0; i < length; ++i) sum += group[i];
    out.sum[at][r * layout.groups() + g] = sum;
  }
  std::memset(plane + layout.padded_k(), 0, static_cast<std::size_t>(out.row_stride - layout.padded_k()));
}

/// Encodes one row of floats into row r of `out`. `codes` holds `out.layout.k` bytes of scratch.
inline void encode_row_into(const Activation& activation, const float* x, Index r, const EncodedRows& out,
                            std::uint8_t* codes) {
  const Activation::RowScale scale = activation.encode(x, out.layout.k, codes);
  for (int p = 0; p < out.plane_count; ++p) write_plane(activation, p, codes, r, out);
  out.scale[r] = scale.unit;
  out.zero[r] = scale.zero;
}

/// Activations `[rows, cols]` encoded: `value(r, k) = scale_r * (sum_p weight_p * plane_p[r, k] - zero_r)`.
class EncodedMatrix {
 public:
  EncodedMatrix(Index rows, const KLayout& layout, const Lowering& lowering) : layout_(layout), rows_(rows) {
    plane_count_ = lowering.plane_count;
    for (std::size_t p = 0; p < 2; ++p) plane_weight_[p] = lowering.planes[p].weight;
    row_stride_ = EncodedRows::stride_for(layout);
    planes_ = AlignedBuffer<std::uint8_t>::zeros(plane_count_ * rows * row_stride_);
    scale_ = AlignedBuffer<float>::zeros(rows);
    zero_ = AlignedBuffer<float>::zeros(rows);
    sums_ = AlignedBuffer<std::int32_t>::zeros(plane_count_ * rows * layout.groups());
  }

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index cols() const { return layout_.k; }
  [[nodiscard]] const KLayout& layout() const { return layout_; }
  [[nodiscard]] Index bytes() const { return plane_count_ * rows_ * (row_stride_ + layout_.groups() * 4) + rows_ * 8; }

  /// What kernels read. The const of the matrix is the caller's to keep.
  [[nodiscard]] EncodedRows rows_view() const {
    EncodedRows view;
    view.rows = rows_;
    view.layout = layout_;
    view.plane_count = plane_count_;
    view.plane_weight = plane_weight_;
    view.row_stride = row_stride_;
    view.scale = const_cast<float*>(scale_.data());
    view.zero = const_cast<float*>(zero_.data());
    for (int p = 0; p < plane_count_; ++p) {
      const auto at = static_cast<std::size_t>(p);
      view.plane[at] = const_cast<std::uint8_t*>(planes_.data()) + p * rows_ * row_stride_;
      view.sum[at] = const_cast<std::int32_t*>(sums_.data()) + p * rows_ * layout_.groups();
    }
    return view;
  }

 private:
  KLayout layout_;
  Index rows_ = 0;
  Index row_stride_ = 0;
  int plane_count_ = 1;
  std::array<float, 2> plane_weight_{1, 1};
  AlignedBuffer<std::uint8_t> planes_;
  AlignedBuffer<float> scale_;
  AlignedBuffer<float> zero_;
  AlignedBuffer<std::int32_t> sums_;
};

/// Encodes activations `[tokens, channels]`. `group` is the group size of the weight that they will meet where its
/// groups are no multiple of 16 (0: one group, right for every other weight). Class: exact, for any executor.
template <Viewable M>
[[nodiscard]] EncodedMatrix encode(const M& matrix, const Activation& activation, Index group = 0,
                                   ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("encode", "matrix", source);
  EncodedMatrix encoded(source.rows, KLayout(source.cols, group), activation.lowering());
  const EncodedRows out = encoded.rows_view();
  parallel_for(executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    std::vector<float> scratch(static_cast<std::size_t>(source.cols));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(source.cols));
    for (Index r = first; r < last; ++r) {
      encode_row_into(activation, read_row(source, r, scratch.data()), r, out, codes.data());
    }
  });
  return encoded;
}

}  // namespace halfstep::inline HALFSTEP_ABI
