#pragma once

/// \file
/// Weights in the order in which kernels read them.
///
/// Output rows n are taken 64 at a time (a *column block* of the product), those 16 at a time (a *lane tile*), K four
/// bytes at a time. One 64-byte line holds 16 rows x 4 k, what one 512-bit dot instruction reads:
///
///     line:           n0: k0 k1 k2 k3 | n1: k0 k1 k2 k3 | ... | n15: k0 k1 k2 k3
///     column block:   (k 0-3:   tile 0, tile 1, tile 2, tile 3)   (k 4-7: tile 0, ...)   ...
///     matrix:         column block 0 | column block 1 | ...        the last block holds only the lane tiles it needs
///
/// `bytes`: a line is 16 x 4 values of s8. `nibbles`: a line is 16 rows x 8 k of 4-bit codes; the low nibble of byte
/// 4 n + i is k = i, the high nibble k = 4 + i, and a table of 16 s8 values per plane gives the codes their meaning.
/// `quarters`: a line is 16 rows x 16 k of 2-bit codes, four to a byte in the same way (kernels/lines.hpp).
/// `minifloats`: a line is 16 x 4 codes of 8-bit floating-point numbers. Those meet activations that are kept in float.
/// K is laid out by `KLayout`; padding holds zero bits, and meets activations that are 0, or none.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/quantizers/minifloat_code.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How the codes of a packed matrix are stored.
enum class WeightStorage { bytes, nibbles, quarters, minifloats };

/// How many codes stand in a byte.
[[nodiscard]] constexpr int codes_per_byte(WeightStorage storage) {
  return storage == WeightStorage::quarters ? 4 : storage == WeightStorage::nibbles ? 2 : 1;
}

/// A weight `[out_features, in_features]` in kernel order:
/// `value(n, k) = scale(g, n) * (sum_p weight_p * plane_p(n, k) - zero(g, n))`, g the group of k; for minifloats
/// `scale(g, n) * minifloat().decode(code(n, k))`.
/// Made by `pack` and `pack_activation`. Const use is safe from any number of threads.
class PackedMatrix {
 public:
  static constexpr Index block_rows = 64;
  static constexpr Index tile_rows = lane_tile_rows;

  PackedMatrix() = default;

  /// A frame that `pack` fills.
  PackedMatrix(Index rows, const KLayout& layout, WeightStorage storage, int plane_count) {
    reset(rows, layout, storage, plane_count);
  }

  /// Makes room for another weight, which is then to be filled in. Allocates only where there was never that much.
  void reset(Index rows, const KLayout& layout, WeightStorage storage, int plane_count) {
    rows_ = rows;
    layout_ = layout;
    storage_ = storage;
    plane_count_ = plane_count;
    plane_weight_ = {1, 1};
    level_count_ = 0;
    code_values_ = {};
    largest_value_ = 128;
    input_order_.clear();
    plane_bytes_ = padded_rows() * layout.padded_k() / codes_per_byte(storage);
    data_.reset(shares_lines() ? plane_bytes_ : plane_count * plane_bytes_);
    scale_.reset(layout.groups() * padded_rows());
    zero_.reset(layout.groups() * padded_rows());
    sum_.reset(storage == WeightStorage::minifloats ? 0 : plane_count * layout.groups() * padded_rows());
    minifloat_ = {};
  }

  /// out_features.
  [[nodiscard]] Index rows() const { return rows_; }
  /// in_features.
  [[nodiscard]] Index cols() const { return layout_.k; }
  [[nodiscard]] Shape shape() const { return {rows_, layout_.k}; }
  [[nodiscard]] const KLayout& layout() const { return layout_; }
  [[nodiscard]] WeightStorage storage() const { return storage_; }
  /// Whether lines hold codes of a few bits, which all planes share.
  [[nodiscard]] bool shares_lines() const { return codes_per_byte(storage_) > 1; }
  [[nodiscard]] int plane_count() const { return plane_count_; }
  [[nodiscard]] float plane_weight(int p) const { return plane_weight_[static_cast<std::size_t>(p)]; }
  /// Rows rounded up to whole lane tiles.
  [[nodiscard]] Index padded_rows() const { return (rows_ + tile_rows - 1) / tile_rows * tile_rows; }
  [[nodiscard]] Index blocks() const { return (rows_ + block_rows - 1) / block_rows; }
  /// Lane tiles of column block b: 4, or fewer in the last.
  [[nodiscard]] Index tiles(Index b) const {
    const Index left = padded_rows() - b * block_rows;
    return (left < block_rows ? left : block_rows) / tile_rows;
  }

  /// Lines of column block b of plane p, from byte k of the laid-out K axis on (a multiple of the bytes of a line). The
  /// planes of nibbles and quarters share their lines.
  [[nodiscard]] const std::uint8_t* lines(int p, Index b, Index k) const { return data_.data() + line_offset(p, b, k); }
  /// Bytes from a line to the next one of the same lane tile of column block b.
  [[nodiscard]] Index line_stride(Index b) const { return tiles(b) * 64; }

  /// How many codes there are, where a code means the same in all granules; 0 where that depends on the granule.
  [[nodiscard]] int level_count() const { return level_count_; }
  /// The s8 value that each code stands for in plane p, where all granules agree (nibbles and quarters always do).
  [[nodiscard]] const std::array<std::int8_t, 256>& code_values(int p) const {
    return code_values_[static_cast<std::size_t>(p)];
  }

  /// An upper bound of the magnitude of the s8 values of all planes.
  [[nodiscard]] int largest_value() const { return largest_value_; }
  /// The format of minifloat codes.
  [[nodiscard]] const MinifloatCode& minifloat() const { return minifloat_; }
  /// Whether activations must be kept in float to meet this weight.
  [[nodiscard]] bool needs_floats() const { return storage_ == WeightStorage::minifloats; }

  /// Scales of group g, one per (padded) row.
  [[nodiscard]] const float* scale(Index g) const { return scale_.data() + g * padded_rows(); }
  /// Zeros of group g, in units of the planes' sum.
  [[nodiscard]] const float* zero(Index g) const { return zero_.data() + g * padded_rows(); }
  /// Sums of plane p over group g, one per (padded) row. There are none of minifloats.
  [[nodiscard]] const std::int32_t* sum(int p, Index g) const {
    return sum_.data() + (p * layout_.groups() + g) * padded_rows();
  }
  /// Whether any zero is not 0, so that sums of activations are needed.
  [[nodiscard]] bool has_zeros() const { return has_zeros_; }
  /// Whether all zeros are integers, so that correction can stay in integers.
  [[nodiscard]] bool zeros_are_integers() const { return zeros_are_integers_; }
  /// An upper bound of |zero|.
  [[nodiscard]] float largest_zero() const { return largest_zero_; }

  /// Where columns were reordered so that groups lie side by side: which input channel stands at each position of K.
  /// Empty: file order.
  [[nodiscard]] const std::vector<std::int32_t>& input_order() const { return input_order_; }
  /// The input channel at position k of K.
  [[nodiscard]] Index channel(Index k) const {
    return input_order_.empty() ? k : Index{input_order_[static_cast<std::size_t>(k)]};
  }

  /// The s8 value of plane p at (n, k), k a position of K; of minifloats the byte of the code. For references and
  /// inspection.
  [[nodiscard]] int plane_value(int p, Index n, Index k) const {
    if (shares_lines()) return code_values(p)[packed_code(n, k)];
    const Index at = layout_.position(k);
    return static_cast<std::int8_t>(lines(p, n / block_rows, at / 4 * 4)[offset_in_line(n) + at % 4]);
  }
  /// The code at (n, k) of nibbles or quarters.
  [[nodiscard]] std::uint8_t packed_code(Index n, Index k) const {
    const int per_byte = codes_per_byte(storage_), bits = 8 / per_byte;
    const Index at = layout_.position(k), per_line = 4 * per_byte;
    const int byte = lines(0, n / block_rows, at / per_line * per_line)[offset_in_line(n) + at % 4];
    return static_cast<std::uint8_t>(byte >> (at % per_line / 4 * bits) & ((1 << bits) - 1));
  }
  /// Row n of plane p as it is laid out, `layout().padded_k()` bytes: s8 values, or the codes of nibbles and quarters.
  void read_row(int p, Index n, std::uint8_t* row) const {
    const Index block = n / block_rows;
    const std::uint8_t* const first = lines(p, block, 0) + n % block_rows / tile_rows * 64;
    if (storage_ == WeightStorage::nibbles) {
      nibble_lines_to_row(first, line_stride(block), n % tile_rows, layout_.padded_k(), row);
    } else if (storage_ == WeightStorage::quarters) {
      quarter_lines_to_row(first, line_stride(block), n % tile_rows, layout_.padded_k(), row);
    } else {
      byte_lines_to_row(first, line_stride(block), n % tile_rows, layout_.padded_k(), row);
    }
  }

  /// The same weight in the same form.
  friend bool operator==(const PackedMatrix&, const PackedMatrix&) = default;

  /// Bytes of all buffers that a product reads: codes with their padding, scales, zeros (where there are any) and sums.
  [[nodiscard]] Index bytes() const {
    const Index parameters = scale_.size() + (has_zeros_ ? zero_.size() : 0) + sum_.size();
    return data_.size() + 4 * parameters;
  }
  /// Bits per element, from the buffers that are multiplied; 0 for a matrix without elements.
  [[nodiscard]] double bits_per_weight() const {
    const Index size = rows_ * layout_.k;
    return size == 0 ? 0.0 : 8.0 * static_cast<double>(bytes()) / static_cast<double>(size);
  }

 private:
  friend class PackedMatrixWriter;

  /// Where row n starts in the lines of one step of its column block.
  [[nodiscard]] static Index offset_in_line(Index n) { return n % block_rows / tile_rows * 64 + n % tile_rows * 4; }
  [[nodiscard]] Index line_offset(int p, Index b, Index k) const {
    const Index in_plane = b * block_rows * layout_.padded_k() + k * tiles(b) * tile_rows;
    return shares_lines() ? in_plane / codes_per_byte(storage_) : p * plane_bytes_ + in_plane;
  }

  Index rows_ = 0;
  KLayout layout_;
  WeightStorage storage_ = WeightStorage::bytes;
  int plane_count_ = 1;
  std::array<float, 2> plane_weight_{1, 1};
  Index plane_bytes_ = 0;
  int level_count_ = 0;
  int largest_value_ = 128;
  std::array<std::array<std::int8_t, 256>, 2> code_values_{};
  MinifloatCode minifloat_;
  AlignedBuffer<std::uint8_t> data_;
  AlignedBuffer<float> scale_;
  AlignedBuffer<float> zero_;
  AlignedBuffer<std::int32_t> sum_;
  bool has_zeros_ = false;
  bool zeros_are_integers_ = true;
  float largest_zero_ = 0;
  std::vector<std::int32_t> input_order_;
};

/// Fills a packed matrix: the only way in. Different lane tiles may be filled from different threads; every line and
/// every parameter of a (padded) row must be written.
class PackedMatrixWriter {
 public:
  explicit PackedMatrixWriter(PackedMatrix& matrix) : matrix_(matrix) {}

  void set_plane_weight(int p, float weight) { matrix_.plane_weight_[static_cast<std::size_t>(p)] = weight; }
  /// The values of `level_count` codes, the same in all granules.
  void set_code_values(int p, int level_count, const std::array<std::uint8_t, 256>& values) {
    matrix_.level_count_ = level_count;
    std::array<std::int8_t, 256>& held = matrix_.code_values_[static_cast<std::size_t>(p)];
    for (std::size_t code = 0; code < 256; ++code) {
      held[code] = static_cast<std::int8_t>(code < static_cast<std::size_t>(level_count) ? values[code] : 0);
    }
  }
  void set_minifloat(const MinifloatCode& format) {
    matrix_.level_count_ = 256;
    matrix_.minifloat_ = format;
  }
  void set_input_order(std::vector<std::int32_t> order) { matrix_.input_order_ = std::move(order); }

  /// The lines of lane tile t (of the whole matrix) in plane p, from byte k of the laid-out K axis on.
  [[nodiscard]] std::uint8_t* lines(int p, Index t, Index k) {
    constexpr Index tiles_per_block = PackedMatrix::block_rows / PackedMatrix::tile_rows;
    return matrix_.data_.data() + matrix_.line_offset(p, t / tiles_per_block, k) + t % tiles_per_block * 64;
  }
  /// Bytes from a line to the next one of lane tile t.
  [[nodiscard]] Index line_stride(Index t) const {
    return matrix_.line_stride(t * PackedMatrix::tile_rows / PackedMatrix::block_rows);
  }

  void set_scale(Index g, Index n, float scale) { matrix_.scale_[g * matrix_.padded_rows() + n] = scale; }
  void set_zero(Index g, Index n, float zero) { matrix_.zero_[g * matrix_.padded_rows() + n] = zero; }
  void set_sum(int p, Index g, Index n, std::int32_t sum) {
    matrix_.sum_[(p * matrix_.layout_.groups() + g) * matrix_.padded_rows() + n] = sum;
  }

  /// Once all values and zeros are set: notes what kernels may assume of them.
  void finish() {
    if (matrix_.level_count_ > 0) matrix_.largest_value_ = largest_code_value();
    matrix_.has_zeros_ = false;
    matrix_.zeros_are_integers_ = true;
    matrix_.largest_zero_ = 0;
    for (const float zero : matrix_.zero_) {
      const float size = zero < 0 ? -zero : zero;
      matrix_.has_zeros_ = matrix_.has_zeros_ || zero != 0;
      matrix_.largest_zero_ = size > matrix_.largest_zero_ ? size : matrix_.largest_zero_;
      const bool is_integer = size < 8388608.0f && zero == static_cast<float>(static_cast<std::int32_t>(zero));
      matrix_.zeros_are_integers_ = matrix_.zeros_are_integers_ && is_integer;
    }
  }

 private:
  [[nodiscard]] int largest_code_value() const {
    int largest = 0;
    for (int p = 0; p < matrix_.plane_count_; ++p) {
      for (const int value : matrix_.code_values(p)) largest = std::max(largest, value < 0 ? -value : value);
    }
    return largest;
  }

  PackedMatrix& matrix_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
