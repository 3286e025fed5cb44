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
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/k_layout.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether planes are there to be read or to be filled.
enum class Access { read, write };

/// Encoded rows in memory that somebody else owns: `EncodedRows` to read, `EncodedRowsOut` to fill.
template <Access Mode>
struct EncodedRowsView {
  template <class T>
  using Pointer = std::conditional_t<Mode == Access::read, const T*, T*>;

  Index rows = 0;
  KLayout layout;
  int plane_count = 1;
  std::array<float, 2> plane_weight{1, 1};
  Index row_stride = 0;                          ///< bytes from row to row, a multiple of 64
  std::array<Pointer<std::uint8_t>, 2> plane{};  ///< `[rows, row_stride]` each
  Index scale_groups = 1;                        ///< scales and zeros of a row: 1, or one for each group
  Pointer<float> scale = nullptr;                ///< `[rows, scale_groups]`
  Pointer<float> zero = nullptr;                 ///< `[rows, scale_groups]`, in units of the planes' sum
  std::array<Pointer<std::int32_t>, 2> sum{};    ///< `[rows, layout.groups()]` each: sum of the plane over the group

  /// Bytes of one row of a plane.
  [[nodiscard]] static Index stride_for(const KLayout& layout) { return (layout.padded_k() + 63) / 64 * 64; }

  /// Where scale and zero of row m and group g stand.
  [[nodiscard]] Index scale_index(Index m, Index g) const { return scale_groups == 1 ? m : m * scale_groups + g; }
  [[nodiscard]] float scale_of(Index m, Index g) const { return scale[scale_index(m, g)]; }
  [[nodiscard]] float zero_of(Index m, Index g) const { return zero[scale_index(m, g)]; }

  /// What may be filled may be read.
  operator EncodedRowsView<Access::read>() const  // NOLINT(google-explicit-constructor): as pointers convert
      requires(Mode == Access::write) {
    return {rows,         layout, plane_count, plane_weight,    row_stride, {plane[0], plane[1]},
            scale_groups, scale,  zero,        {sum[0], sum[1]}};
  }
};
using EncodedRows = EncodedRowsView<Access::read>;
using EncodedRowsOut = EncodedRowsView<Access::write>;

/// Zeros the bytes of a row of a plane that belong to no element.
inline void zero_padding(const KLayout& layout, Index row_stride, std::uint8_t* row) {
  const Index last = layout.groups() - 1;
  if (!layout.is_plain()) {
    for (Index g = 0; g < last; ++g) {
      std::uint8_t* const end = row + layout.padded_begin(g) + layout.length(g);
      std::memset(end, 0, static_cast<std::size_t>(layout.padded_length(g) - layout.length(g)));
    }
  }
  const Index end = layout.padded_begin(last) + layout.length(last);
  if (row_stride > end) std::memset(row + end, 0, static_cast<std::size_t>(row_stride - end));
}

/// Encodes the row `x[0 .. layout.k)` into row r of `out`. `codes` holds `out.layout.padded_k()` bytes of scratch.
/// Class: exact.
inline void encode_row_into(const Activation& activation, const float* x, Index r, const EncodedRowsOut& out,
                            std::uint8_t* codes) {
  const KLayout& layout = out.layout;
  std::uint8_t* const first_plane = out.plane[0] + r * out.row_stride;
  std::int32_t* const first_sums = out.sum[0] + r * layout.groups();
  const bool direct = activation.planes_are_codes();
  if (activation.block_size() > 0) {
    const Index at = out.scale_index(r, 0);
    activation.encode_blocks(x, layout, direct ? first_plane : codes, first_sums, out.scale + at, out.zero + at);
  } else {
    const Activation::RowScale scale = activation.encode(x, layout, direct ? first_plane : codes, first_sums);
    out.scale[r] = scale.unit;
    out.zero[r] = scale.zero;
  }
  for (int p = 0; p < out.plane_count && !direct; ++p) {
    const auto at = static_cast<std::size_t>(p);
    std::uint8_t* const plane = out.plane[at] + r * out.row_stride;
    for (Index g = 0; g < layout.groups(); ++g) {
      std::uint8_t* const group = plane + layout.padded_begin(g);
      activation.plane_map(p).apply(codes + layout.padded_begin(g), layout.length(g), group);
      out.sum[at][r * layout.groups() + g] = sum_bytes(group, layout.length(g));
    }
  }
  for (int p = 0; p < out.plane_count; ++p) {
    zero_padding(layout, out.row_stride, out.plane[static_cast<std::size_t>(p)] + r * out.row_stride);
  }
}

/// How many scales and zeros a row of `layout` has under `activation`.
[[nodiscard]] inline Index scale_groups_of(const Activation& activation, const KLayout& layout) {
  return activation.block_size() > 0 ? layout.groups() : 1;
}

/// Activations `[rows, cols]` encoded: `value(r, k) = scale_r * (sum_p weight_p * plane_p[r, k] - zero_r)`, scale and
/// zero of the row, or of the row and the group of k where the activation is a block format. Const access is safe from
/// any number of threads.
class EncodedMatrix {
 public:
  EncodedMatrix() = default;

  /// Makes room for other activations, which are then to be filled in. Allocates only where there was never that much.
  /// `scale_groups`: 1, or as many as the layout has groups.
  void reset(Index rows, const KLayout& layout, int plane_count, const std::array<float, 2>& plane_weights,
             Index scale_groups = 1) {
    planes_.reset(plane_count * rows * EncodedRows::stride_for(layout));
    scale_.reset(rows * scale_groups);
    zero_.reset(rows * scale_groups);
    sums_.reset(plane_count * rows * layout.groups());
    layout_ = layout;
    rows_ = rows;
    row_stride_ = EncodedRows::stride_for(layout);
    plane_count_ = plane_count;
    plane_weight_ = plane_weights;
    scale_groups_ = scale_groups;
  }

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index cols() const { return layout_.k; }
  [[nodiscard]] Shape shape() const { return {rows_, layout_.k}; }
  [[nodiscard]] const KLayout& layout() const { return layout_; }
  [[nodiscard]] int plane_count() const { return plane_count_; }
  [[nodiscard]] float plane_weight(int p) const { return plane_weight_[static_cast<std::size_t>(p)]; }
  /// Scales and zeros of a row: 1, or one for each group of the layout.
  [[nodiscard]] Index scale_groups() const { return scale_groups_; }
  [[nodiscard]] float scale(Index r, Index g = 0) const {
    return scale_[scale_groups_ == 1 ? r : r * scale_groups_ + g];
  }
  [[nodiscard]] float zero(Index r, Index g = 0) const { return zero_[scale_groups_ == 1 ? r : r * scale_groups_ + g]; }

  /// The byte of plane p at (r, k). Unchecked, as are the other accessors.
  [[nodiscard]] std::uint8_t plane_value(int p, Index r, Index k) const {
    return planes_[(p * rows_ + r) * row_stride_ + layout_.position(k)];
  }
  /// The sum of plane p of row r over group g.
  [[nodiscard]] std::int32_t sum(int p, Index r, Index g) const {
    return sums_[(p * rows_ + r) * layout_.groups() + g];
  }
  /// What element (r, k) stands for, in double; NaN in a row that was not finite.
  [[nodiscard]] double value(Index r, Index k) const {
    const Index g = k / layout_.group;
    double value = -static_cast<double>(zero(r, g));
    for (int p = 0; p < plane_count_; ++p) value += static_cast<double>(plane_weight(p)) * plane_value(p, r, k);
    return static_cast<double>(scale(r, g)) * value;
  }
  /// Bytes of planes, padding included, scales, zeros and sums.
  [[nodiscard]] Index bytes() const {
    return static_cast<Index>(planes_.bytes() + scale_.bytes() + zero_.bytes() + sums_.bytes());
  }

  /// The same rows in the same form; never equal where a row was not finite.
  friend bool operator==(const EncodedMatrix&, const EncodedMatrix&) = default;

  /// What kernels read.
  [[nodiscard]] EncodedRows rows_view() const { return view_of<Access::read>(*this); }
  /// What encoders fill.
  [[nodiscard]] EncodedRowsOut rows_out() { return view_of<Access::write>(*this); }

 private:
  template <Access Mode, class Matrix>
  [[nodiscard]] static EncodedRowsView<Mode> view_of(Matrix& m) {
    EncodedRowsView<Mode> view;
    view.rows = m.rows_;
    view.layout = m.layout_;
    view.plane_count = m.plane_count_;
    view.plane_weight = m.plane_weight_;
    view.row_stride = m.row_stride_;
    view.scale_groups = m.scale_groups_;
    view.scale = m.scale_.data();
    view.zero = m.zero_.data();
    for (int p = 0; p < m.plane_count_; ++p) {
      view.plane[static_cast<std::size_t>(p)] = m.planes_.data() + p * m.rows_ * m.row_stride_;
      view.sum[static_cast<std::size_t>(p)] = m.sums_.data() + p * m.rows_ * m.layout_.groups();
    }
    return view;
  }

  KLayout layout_;
  Index rows_ = 0;
  Index row_stride_ = 0;
  int plane_count_ = 1;
  std::array<float, 2> plane_weight_{1, 1};
  Index scale_groups_ = 1;
  AlignedBuffer<std::uint8_t> planes_;
  AlignedBuffer<float> scale_;
  AlignedBuffer<float> zero_;
  AlignedBuffer<std::int32_t> sums_;
};

/// The K axis of `cols` values under `activation`, in groups of `group` (0: one, or the blocks of a block format).
/// Errors: groups that do not divide blocks.
[[nodiscard]] inline KLayout encoded_layout(std::string_view where, const Activation& activation, Index cols,
                                            Index group) {
  const KLayout layout(cols, group > 0 ? group : activation.block_size());
  if (!activation.fits_blocks(layout)) {
    raise(where, "activation has blocks of ", activation.block_size(), " values, which groups of ", layout.group,
          " do not divide");
  }
  return layout;
}

/// Encodes activations `[tokens, channels]`. `group` is the group size of the weight that they will meet (0: one
/// group, or the blocks of a block format), which saves the product from summing them again. Class: exact, for any
/// executor. Errors: groups that do not divide the blocks of a block format.
template <Viewable M>
[[nodiscard]] EncodedMatrix encode(const M& matrix, const Activation& activation, Index group = 0,
                                   ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("encode", "matrix", source);
  EncodedMatrix encoded;
  const KLayout layout = encoded_layout("encode", activation, source.cols, group);
  encoded.reset(source.rows, layout, activation.plane_count(), activation.plane_weights(),
                scale_groups_of(activation, layout));
  const EncodedRowsOut out = encoded.rows_out();
  parallel_for(executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    std::vector<float> scratch(static_cast<std::size_t>(source.cols));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(out.layout.padded_k()));
    for (Index r = first; r < last; ++r) {
      encode_row_into(activation, read_row(source, r, scratch.data()), r, out, codes.data());
    }
  });
  return encoded;
}

}  // namespace halfstep::inline HALFSTEP_ABI
