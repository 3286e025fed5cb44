#pragma once

/// \file
/// A matrix as codes and the parameters that give them meaning, in logical order.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/parameter_arrays.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale_storage.hpp"

#include <cstdint>
#include <span>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// Codes `[rows, cols]` of `Q::bits` bits each, and one `Q` per granule of a tiling.
///
/// Codes are dense bit fields, least significant bit first, each row padded to a whole byte; parameters are arrays, one
/// per member of `Q`. To be inspected, compared and saved; `pack` brings it into a kernel's order. Const access is safe
/// from any number of threads, and so is writing different rows and different granules.
template <ScalarQuantizer Q>
class QuantizedMatrix {
 public:
  using Quantizer = Q;
  static constexpr int bits = Q::bits;

  QuantizedMatrix() : QuantizedMatrix({0, 0}, per_tensor()) {}

  /// All codes 0, all granules `Q{}`. Scales of a block format are stored as the format says, whatever is asked for.
  QuantizedMatrix(Shape shape, Tiling tiling, ScaleStorage scale_storage = ScaleStorage::f32)
      : shape_(shape),
        tiling_(std::move(tiling)),
        grid_(tiling_, shape),
        scale_storage_(storage_of(scale_storage)),
        parameters_(grid_.count()),
        row_bytes_(packed_bytes(shape.cols, bits)),
        codes_(AlignedBuffer<std::uint8_t>::zeros(shape.rows * row_bytes_)) {}

  [[nodiscard]] Index rows() const { return shape_.rows; }
  [[nodiscard]] Index cols() const { return shape_.cols; }
  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] const Tiling& tiling() const { return tiling_; }
  [[nodiscard]] const TilingGrid& grid() const { return grid_; }
  [[nodiscard]] ScaleStorage scale_storage() const { return scale_storage_; }
  [[nodiscard]] const ParameterArrays<Q>& parameters() const { return parameters_; }

  [[nodiscard]] Q quantizer(Index granule) const { return parameters_.get(granule); }
  void set_quantizer(Index granule, const Q& q) { parameters_.set(granule, q); }
  /// Parameter number `Field` of all granules, to be written in place.
  template <std::size_t Field>
  [[nodiscard]] auto parameter_array() {
    return parameters_.template array<Field>();
  }
  /// The quantizer of element (r, c).
  [[nodiscard]] Q quantizer_at(Index r, Index c) const { return parameters_.get(grid_.granule(r, c)); }

  /// The code of element (r, c). Unchecked, as are the other accessors.
  [[nodiscard]] std::uint8_t code(Index r, Index c) const {
    return code_at(codes_.data() + r * row_bytes_, bits, static_cast<std::size_t>(c));
  }
  /// The real value that element (r, c) stands for.
  [[nodiscard]] float value(Index r, Index c) const { return quantizer_at(r, c).decode(std::int32_t{code(r, c)}); }

  /// The codes of row r as bit fields, `packed_bytes(cols, bits)` bytes.
  [[nodiscard]] std::span<const std::uint8_t> packed_row(Index r) const {
    return {codes_.data() + r * row_bytes_, static_cast<std::size_t>(row_bytes_)};
  }
  [[nodiscard]] std::span<std::uint8_t> packed_row(Index r) {
    return {codes_.data() + r * row_bytes_, static_cast<std::size_t>(row_bytes_)};
  }
  /// Writes the codes of row r, one per byte, to `codes[0 .. cols)`.
  void unpack_row(Index r, std::uint8_t* codes) const {
    unpack_bits(packed_row(r), bits, 0, {codes, static_cast<std::size_t>(cols())});
  }
  /// Replaces the codes of row r by `codes[0 .. cols)`, each below 2^bits.
  void set_row(Index r, const std::uint8_t* codes) {
    pack_bits({codes, static_cast<std::size_t>(cols())}, bits, packed_row(r));
  }

  /// Same shape, tiling, storage, parameters and codes.
  friend bool operator==(const QuantizedMatrix& a, const QuantizedMatrix& b) {
    return a.shape_ == b.shape_ && a.tiling_ == b.tiling_ && a.scale_storage_ == b.scale_storage_ &&
           a.parameters_ == b.parameters_ && a.codes_ == b.codes_;
  }

  /// Bytes of codes and parameters, scales counted in their storage type.
  [[nodiscard]] Index bytes() const {
    Index parameter_bytes = ParameterArrays<Q>::bytes_per_value();
    if constexpr (HasScale<Q>) parameter_bytes += storage_bytes(scale_storage_) - static_cast<Index>(sizeof(float));
    Index tensor_bytes = 0;
    if constexpr (HasTensorScale<Q>) {  // the same in all granules, so kept once
      parameter_bytes -= static_cast<Index>(sizeof(float));
      tensor_bytes = grid_.count() > 0 ? static_cast<Index>(sizeof(float)) : 0;
    }
    return shape_.rows * row_bytes_ + grid_.count() * parameter_bytes + tensor_bytes;
  }
  /// Bits per element, parameters included; 0 for a matrix without elements.
  [[nodiscard]] double bits_per_weight() const {
    const Index size = shape_.rows * shape_.cols;
    return size == 0 ? 0.0 : 8.0 * static_cast<double>(bytes()) / static_cast<double>(size);
  }

 private:
  [[nodiscard]] static constexpr ScaleStorage storage_of(ScaleStorage asked) {
    if constexpr (BlockFormat<Q>) {
      return Q::scale_storage;
    } else {
      return asked;
    }
  }

  Shape shape_;
  Tiling tiling_;
  TilingGrid grid_;
  ScaleStorage scale_storage_ = ScaleStorage::f32;
  ParameterArrays<Q> parameters_;
  Index row_bytes_ = 0;
  AlignedBuffer<std::uint8_t> codes_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
