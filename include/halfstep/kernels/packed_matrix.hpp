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
/// K is laid out by `KLayout`; padding holds code 0, and meets activations that are 0.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/k_layout.hpp"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How the codes of a packed matrix are stored.
enum class WeightStorage { bytes, nibbles };

/// A weight `[out_features, in_features]` in kernel order:
/// `value(n, k) = scale(g, n) * (sum_p weight_p * plane_p(n, k) - zero(g, n))`, g the group of k.
/// Made by `pack`. Const use is safe from any number of threads.
class PackedMatrix {
 public:
  static constexpr Index block_rows = 64;
  static constexpr Index tile_rows = 16;

  PackedMatrix() = default;

  /// An empty frame that `pack` fills.
  PackedMatrix(Index rows, const KLayout& layout, WeightStorage storage, int plane_count)
      : rows_(rows), layout_(layout), storage_(storage), plane_count_(plane_count) {
    const Index stored_planes = storage == WeightStorage::nibbles ? 1 : plane_count;
    plane_bytes_ = padded_rows() * layout.padded_k() / (storage == WeightStorage::nibbles ? 2 : 1);
    data_ = AlignedBuffer<std::uint8_t>::zeros(stored_planes * plane_bytes_);
    scale_ = AlignedBuffer<float>::zeros(layout.groups() * padded_rows());
    zero_ = AlignedBuffer<float>::zeros(layout.groups() * padded_rows());
    sum_ = AlignedBuffer<std::int32_t>::zeros(plane_count * layout.groups() * padded_rows());
  }

  /// out_features.
  [[nodiscard]] Index rows() const { return rows_; }
  /// in_features.
  [[nodiscard]] Index cols() const { return layout_.k; }
  [[nodiscard]] Shape shape() const { return {rows_, layout_.k}; }
  [[nodiscard]] const KLayout& layout() const { return layout_; }
  [[nodiscard]] WeightStorage storage() const { return storage_; }
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

  /// Lines of column block b of plane p, from byte k of the laid-out K axis on (a multiple of `KLayout::k_step`).
  [[nodiscard]] const std::uint8_t* lines(int p, Index b, Index k) const {
    const Index per_byte = storage_ == WeightStorage::nibbles ? 2 : 1;
    const Index plane = storage_ == WeightStorage::nibbles ? 0 : p;
    return data_.data() + plane * plane_bytes_ +
           (b * block_rows * layout_.padded_k() + k * tiles(b) * tile_rows) / per_byte;
  }
  /// The s8 values that nibble codes stand for in plane p.
  [[nodiscard]] const std::array<std::int8_t, 16>& nibble_values(int p) const {
    return nibble_values_[static_cast<std::size_t>(p)];
  }

  /// Scales of group g, one per (padded) row.
  [[nodiscard]] const float* scale(Index g) const { return scale_.data() + g * padded_rows(); }
  /// Zeros of group g, in units of the planes' sum.
  [[nodiscard]] const float* zero(Index g) const { return zero_.data() + g * padded_rows(); }
  /// Sums of plane p over group g, one per (padded) row.
  [[nodiscard]] const std::int32_t* sum(int p, Index g) const {
    return sum_.data() + (p * layout_.groups() + g) * padded_rows();
  }
  /// Whether all zeros are 0, so that sums of activations are not needed.
  [[nodiscard]] bool has_zeros() const { return has_zeros_; }
  /// Whether all zeros are integers, so that correction can stay in integers.
  [[nodiscard]] bool zeros_are_integers() const { return zeros_are_integers_; }
  /// An upper bound of |zero|.
  [[nodiscard]] float largest_zero() const { return largest_zero_; }

  /// Where columns were reordered so that groups lie side by side: which input channel stands at each position of K.
  /// Empty: file order.
  [[nodiscard]] const std::vector<std::int32_t>& input_order() const { return input_order_; }

  /// The s8 value of plane p at (n, k), k in the order of the laid-out axis's elements. For references and inspection.
  [[nodiscard]] int plane_value(int p, Index n, Index k) const {
    const Position at = position(n, layout_.position(k));
    const std::uint8_t byte = data_.data()[(storage_ == WeightStorage::bytes ? p * plane_bytes_ : 0) + at.byte];
    if (storage_ == WeightStorage::bytes) return static_cast<std::int8_t>(byte);
    return nibble_values(p)[static_cast<std::size_t>((byte >> at.shift) & 15)];
  }
  /// The 4-bit code at (n, k) of nibble storage.
  [[nodiscard]] std::uint8_t nibble_code(Index n, Index k) const {
    const Position at = position(n, layout_.position(k));
    return static_cast<std::uint8_t>((data_.data()[at.byte] >> at.shift) & 15);
  }

  /// Bytes of all buffers that a product reads: codes with their padding, scales, zeros (where there are any) and sums.
  [[nodiscard]] Index bytes() const {
    const auto parameters = static_cast<Index>(scale_.size() + (has_zeros_ ? zero_.size() : 0) + sum_.size());
    return static_cast<Index>(data_.size()) + 4 * parameters;
  }
  [[nodiscard]] double bits_per_weight() const {
    const Index size = rows_ * layout_.k;
    return size == 0 ? 0.0 : 8.0 * static_cast<double>(bytes()) / static_cast<double>(size);
  }

 private:
  friend class PackedMatrixWriter;

  struct Position {
    Index byte = 0;
    int shift = 0;
  };

  [[nodiscard]] Position position(Index n, Index k) const {
    const Index block = n / block_rows;
    const Index per_line = storage_ == WeightStorage::nibbles ? 8 : 4;  // k of one line
    const Index line = k / per_line * tiles(block) + n % block_rows / tile_rows;
    const Index first = block * block_rows * layout_.padded_k() / (per_line / 4);
    return {first + line * 64 + n % tile_rows * 4 + k % 4, static_cast<int>(k % per_line / 4 * 4)};
  }

  Index rows_ = 0;
  KLayout layout_;
  WeightStorage storage_ = WeightStorage::bytes;
  int plane_count_ = 1;
  std::array<float, 2> plane_weight_{1, 1};
  Index plane_bytes_ = 0;
  std::array<std::array<std::int8_t, 16>, 2> nibble_values_{};
  AlignedBuffer<std::uint8_t> data_;
  AlignedBuffer<float> scale_;
  AlignedBuffer<float> zero_;
  AlignedBuffer<std::int32_t> sum_;
  bool has_zeros_ = false;
  bool zeros_are_integers_ = true;
  float largest_zero_ = 0;
  std::vector<std::int32_t> input_order_;
};

/// Fills a packed matrix: the only way in.
class PackedMatrixWriter {
 public:
  explicit PackedMatrixWriter(PackedMatrix& matrix) : matrix_(matrix) {}

  void set_plane_weight(int p, float weight) { matrix_.plane_weight_[static_cast<std::size_t>(p)] = weight; }
  void set_nibble_values(int p, const std::array<std::int8_t, 16>& values) {
    matrix_.nibble_values_[static_cast<std::size_t>(p)] = values;
  }
  void set_input_order(std::vector<std::int32_t> order) { matrix_.input_order_ = std::move(order); }
  void set_value(int p, Index n, Index k, int value) {
    const auto at = matrix_.position(n, matrix_.layout_.position(k));
    matrix_.data_.data()[p * matrix_.plane_bytes_ + at.byte] = static_cast<std::uint8_t>(value);
  }
  void set_nibble(Index n, Index k, std::uint8_t code) {
    const auto at = matrix_.position(n, matrix_.layout_.position(k));
    std::uint8_t& byte = matrix_.data_.data()[at.byte];
    byte = static_cast<std::uint8_t>((byte & ~(15 << at.shift)) | (code << at.shift));
  }
  void set_scale(Index g, Index n, float scale) { matrix_.scale_.data()[g * matrix_.padded_rows() + n] = scale; }
  void set_zero(Index g, Index n, float zero) { matrix_.zero_.data()[g * matrix_.padded_rows() + n] = zero; }
  void set_sum(int p, Index g, Index n, std::int32_t sum) {
    matrix_.sum_.data()[(p * matrix_.layout_.groups() + g) * matrix_.padded_rows() + n] = sum;
  }

  /// Once all zeros are set: notes what kernels may assume of them.
  void finish() {
    matrix_.has_zeros_ = false;
    matrix_.zeros_are_integers_ = true;
    matrix_.largest_zero_ = 0;
    for (const float zero : matrix_.zero_.span()) {
      const float size = zero < 0 ? -zero : zero;
      matrix_.has_zeros_ = matrix_.has_zeros_ || zero != 0;
      matrix_.largest_zero_ = size > matrix_.largest_zero_ ? size : matrix_.largest_zero_;
      const bool is_integer = size < 8388608.0f && zero == static_cast<float>(static_cast<std::int32_t>(zero));
      matrix_.zeros_are_integers_ = matrix_.zeros_are_integers_ && is_integer;
    }
  }

 private:
  PackedMatrix& matrix_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
