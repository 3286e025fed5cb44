#pragma once

/// \file
/// Packed weights out of a file. What is read: io/packed_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/packed_layout.hpp"
#include "halfstep/io/quantized_layout.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/kernels/lines.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Reads one packed weight of an open file; everything that it says is checked before it is used.
class PackedReader {
 public:
  PackedReader(const SafetensorsFile& file, std::string_view name)
      : tensors_(file, "packed weight", name), file_(file), name_(name) {}

  [[nodiscard]] PackedMatrix read() {
    read_description();
    const KLayout layout(cols_, group_);
    require_parts(layout);
    require_size(layout);
    simd::require_cpu();
    PackedMatrix weight(rows_, layout, storage_, planes());
    PackedMatrixWriter writer(weight);
    if (storage_ == WeightStorage::minifloats) writer.set_minifloat(minifloat_);
    if (storage_ != WeightStorage::minifloats) {
      for (int p = 0; p < planes(); ++p) writer.set_plane_weight(p, plane_weights_[static_cast<std::size_t>(p)]);
    }
    read_levels(writer);
    read_order(writer);
    read_rows(weight, writer);
    writer.finish();
    return weight;
  }

 private:
  using Levels = std::array<std::uint8_t, 256>;

  template <class... Parts>
  [[noreturn]] void fail(IoErrorCode code, const Parts&... parts) const {
    tensors_.fail(code, parts...);
  }
  [[nodiscard]] int planes() const { return static_cast<int>(plane_weights_.size()); }

  /// Whether several codes stand in a byte, and how many bits each has.
  [[nodiscard]] bool shares_bytes() const { return codes_per_byte(storage_) > 1; }
  [[nodiscard]] int code_bits() const { return 8 / codes_per_byte(storage_); }

  void read_description() {
    tensors_.require_version(quantized_format_key, quantized_format_version);
    const nlohmann::json json = tensors_.description(quantized_tensor_key(name_));
    if (const std::string scheme = tensors_.text(json, "scheme"); scheme != packed_scheme) {
      fail(IoErrorCode::unsupported, "has the scheme ", in_quotes(scheme), ", expected ", in_quotes(packed_scheme));
    }
    const Index version = tensors_.number(json, "scheme_version");
    if (version < 1 || version > packed_scheme_version) {
      fail(IoErrorCode::version, "has version ", version, " of its scheme, expected ", packed_scheme_version);
    }
    group_ = tensors_.number(json, "group");
    const auto params = json.find("params");
    if (params == json.end() || !params->is_object()) fail(IoErrorCode::type, "has no object \"params\"");
    read_storage(*params);
    const auto weights = params->find("plane_weights");
    if (weights == params->end() || !weights->is_array() || weights->empty() || weights->size() > 2) {
      fail(IoErrorCode::type, "has no \"plane_weights\" that are one or two numbers");
    }
    for (const nlohmann::json& weight : *weights) {
      const float value = weight.is_number() ? static_cast<float>(weight.get<double>()) : -1.0f;
      if (!(value > 0 && std::isfinite(value))) fail(IoErrorCode::value, "has a plane weight that is not positive");
      plane_weights_.push_back(value);
    }
    if (storage_ == WeightStorage::minifloats && planes() != 1) {
      fail(IoErrorCode::mismatch, "has ", planes(), " planes of minifloats, expected 1");
    }
    read_shape();
  }

  void read_storage(const nlohmann::json& params) {
    const std::string name = tensors_.text(params, "storage");
    for (const WeightStorage storage :
         {WeightStorage::bytes, WeightStorage::nibbles, WeightStorage::quarters, WeightStorage::minifloats}) {
      if (name == storage_name(storage)) storage_ = storage;
    }
    if (name != storage_name(storage_)) fail(IoErrorCode::unsupported, "has the storage ", in_quotes(name));
    if (storage_ != WeightStorage::minifloats) return;
    minifloat_.exponent_bits = static_cast<std::int32_t>(tensors_.number(params, "exponent_bits", 6));
    minifloat_.mantissa_bits = static_cast<std::int32_t>(tensors_.number(params, "mantissa_bits", 6));
    minifloat_.largest_code = static_cast<std::int32_t>(tensors_.number(params, "largest_code", 127));
    if (minifloat_.exponent_bits < 1 || minifloat_.exponent_bits + minifloat_.mantissa_bits != 7) {
      fail(IoErrorCode::mismatch, "has minifloats of ", minifloat_.exponent_bits, " and ", minifloat_.mantissa_bits,
           " bits, expected 7 together");
    }
  }

  /// Rows and columns are those of the codes and, where two share a byte, of the part "cols".
  void read_shape() {
    const std::vector<Index>& shape = file_.tensor(part("codes")).shape;
    const std::size_t rank = storage_ == WeightStorage::bytes ? 3 : 2;
    if (shape.size() != rank) fail(IoErrorCode::shape, "has codes of ", shape.size(), " sizes, expected ", rank);
    rows_ = shape[rank - 2];
    cols_ = shape[rank - 1];
    if (shares_bytes()) {
      tensors_.require_dtype(part("cols"), DType::I64);
      file_.require_shape(part("cols"), {1}, "one number of columns");
      cols_ = file_.integers<std::int64_t>(part("cols")).front();
    }
    if (rows_ < 1 || cols_ < 1 || rows_ > DescribedTensors::largest_size || cols_ > largest_packed_cols) {
      fail(IoErrorCode::limit, "has ", rows_, " rows of ", cols_, " columns, expected 1 to ",
           DescribedTensors::largest_size, " of 1 to ", largest_packed_cols);
    }
    if (group_ < 1 || group_ > cols_) fail(IoErrorCode::range, "has groups of ", group_, " of its ", cols_, " columns");
  }

  void require_parts(const KLayout& layout) const {
    if (storage_ == WeightStorage::bytes) {
      file_.require_shape(part("codes"), {planes(), rows_, cols_}, "\"plane_weights\"");
    } else {
      const Index row_bytes = packed_bytes(cols_, code_bits());
      file_.require_shape(part("codes"), {rows_, row_bytes}, "\"storage\"");
    }
    tensors_.require_dtype(part("codes"), storage_ == WeightStorage::bytes ? DType::I8 : DType::U8);
    for (const char* name : {"scale", "zero"}) {
      file_.require_shape(part(name), {layout.groups(), rows_}, "\"group\"");
      tensors_.require_dtype(part(name), DType::F32);
    }
  }

  /// Padding to whole steps and tiles can be more than what lies in the file.
  void require_size(const KLayout& layout) const {
    const Index tiles = (rows_ + lane_tile_rows - 1) / lane_tile_rows;
    const double bytes = static_cast<double>(tiles * lane_tile_rows) * static_cast<double>(planes()) *
                         (static_cast<double>(layout.padded_k()) + 4.0 * static_cast<double>(layout.groups()));
    if (bytes <= static_cast<double>(file_.size() + DescribedTensors::allowance)) return;
    fail(IoErrorCode::limit, "would take ", bytes, " bytes in memory, more than the file and ",
         DescribedTensors::allowance);
  }

  /// What the codes stand for; what each plane may hold.
  void read_levels(PackedMatrixWriter& writer) {
    if (storage_ == WeightStorage::minifloats) return;
    const std::string name = part("levels");
    if (!file_.contains(name)) {
      if (shares_bytes()) fail(IoErrorCode::not_found, "has no \"levels\" for its ", code_bits(), "-bit codes");
      return;
    }
    tensors_.require_dtype(name, DType::I8);
    const std::vector<Index>& shape = file_.tensor(name).shape;
    const Index most = Index{1} << code_bits();
    if (shape.size() != 2 || shape[0] != planes() || shape[1] < 1 || shape[1] > most) {
      fail(IoErrorCode::shape, "has levels of shape ", shape_text(shape), ", expected [", planes(), ", 1 to ", most,
           "]");
    }
    const auto values = file_.integers<std::int8_t>(name);
    level_count_ = static_cast<int>(shape[1]);
    for (int p = 0; p < planes(); ++p) {
      Levels& levels = levels_[static_cast<std::size_t>(p)];
      for (int code = 0; code < level_count_; ++code) {
        const auto at = static_cast<std::size_t>(code);
        levels[at] = static_cast<std::uint8_t>(values[static_cast<std::size_t>(p * level_count_ + code)]);
        is_level_[static_cast<std::size_t>(p)][levels[at]] = true;
      }
      writer.set_code_values(p, level_count_, levels);
    }
  }

  void read_order(PackedMatrixWriter& writer) const {
    const std::string name = part("input_order");
    if (!file_.contains(name)) return;
    file_.require_shape(name, {cols_}, "columns");
    tensors_.require_dtype(name, DType::I32);
    std::vector<std::int32_t> order = file_.integers<std::int32_t>(name);
    std::vector<bool> is_there(order.size());
    for (const std::int32_t input : order) {
      if (input < 0 || input >= cols_ || is_there[static_cast<std::size_t>(input)]) {
        fail(IoErrorCode::value, "has an \"input_order\" that is no order of its ", cols_, " inputs: ", input);
      }
      is_there[static_cast<std::size_t>(input)] = true;
    }
    writer.set_input_order(std::move(order));
  }

  void read_rows(const PackedMatrix& weight, PackedMatrixWriter& writer) const {
    const KLayout& layout = weight.layout();
    const std::vector<float> scale = numbers("scale"), zero = numbers("zero");
    const auto stride = static_cast<std::size_t>(scratch_row_stride(layout.padded_k()));
    const int kept_planes = shares_bytes() ? 1 : planes();
    for (Index t = 0; t * lane_tile_rows < rows_; ++t) {
      const Index first = t * lane_tile_rows;
      for (int p = 0; p < kept_planes; ++p) {
        std::vector<std::uint8_t> rows(static_cast<std::size_t>(lane_tile_rows) * stride);
        for (Index n = first; n < std::min(rows_, first + lane_tile_rows); ++n) {
          lay_out(p, n, layout, rows.data() + static_cast<std::size_t>(n - first) * stride);
        }
        if (storage_ != WeightStorage::minifloats) set_sums(p, first, layout, rows, writer);
        const auto to_lines = storage_ == WeightStorage::nibbles    ? rows_to_nibble_lines
                              : storage_ == WeightStorage::quarters ? rows_to_quarter_lines
                                                                    : rows_to_byte_lines;
        to_lines(rows.data(), static_cast<Index>(stride), layout.padded_k(), writer.lines(p, t, 0),
                 writer.line_stride(t));
      }
      for (Index n = first; n < first + lane_tile_rows; ++n) {
        for (Index g = 0; g < layout.groups(); ++g) {
          const auto at = static_cast<std::size_t>(g * rows_ + n);
          writer.set_scale(g, n, n < rows_ ? scale[at] : 0.0f);
          writer.set_zero(g, n, n < rows_ ? zero[at] : 0.0f);
        }
      }
    }
  }

  /// Row n of a plane, checked, at its places on the laid-out K axis.
  void lay_out(int p, Index n, const KLayout& layout, std::uint8_t* row) const {
    const std::span<const std::byte> bytes = file_.bytes(part("codes"));
    const auto* const codes = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const Index row_bytes = packed_bytes(cols_, code_bits());
    const std::uint8_t* const from = codes + (p * rows_ + n) * row_bytes;
    const bool has_levels = level_count_ > 0 && !shares_bytes();
    for (Index k = 0; k < cols_; ++k) {
      const std::uint8_t byte = code_at(from, code_bits(), static_cast<std::size_t>(k));
      const bool is_known =
          has_levels ? is_level_[static_cast<std::size_t>(p)][byte] : !shares_bytes() || byte < level_count_;
      if (!is_known) fail(IoErrorCode::value, "has a code at row ", n, ", column ", k, " that has no level");
      row[layout.position(k)] = byte;
    }
    const auto unused = static_cast<int>(8 * row_bytes - cols_ * code_bits());
    if (unused > 0 && from[row_bytes - 1] >> (8 - unused) != 0) {
      fail(IoErrorCode::value, "has bits after the last code of row ", n);
    }
  }

  /// Sums of 16 rows: of values, or of what codes stand for in every plane.
  void set_sums(int p, Index first, const KLayout& layout, const std::vector<std::uint8_t>& rows,
                PackedMatrixWriter& writer) const {
    const bool are_shared = shares_bytes();
    for (int plane = are_shared ? 0 : p; plane < (are_shared ? planes() : p + 1); ++plane) {
      for (Index i = 0; i < lane_tile_rows; ++i) {
        for (Index g = 0; g < layout.groups(); ++g) {
          const std::uint8_t* const from =
              rows.data() + i * scratch_row_stride(layout.padded_k()) + layout.padded_begin(g);
          std::int32_t sum = 0;
          for (Index k = 0; first + i < rows_ && k < layout.length(g); ++k) {
            const std::uint8_t value = are_shared ? levels_[static_cast<std::size_t>(plane)][from[k]] : from[k];
            sum += static_cast<std::int8_t>(value);
          }
          writer.set_sum(plane, g, first + i, sum);
        }
      }
    }
  }

  [[nodiscard]] std::vector<float> numbers(std::string_view name) const {
    return std::move(file_.matrix(part(name)).values);
  }
  [[nodiscard]] std::string part(std::string_view name) const { return part_name(name_, name); }

  DescribedTensors tensors_;
  const SafetensorsFile& file_;
  std::string_view name_;
  WeightStorage storage_ = WeightStorage::bytes;
  std::vector<float> plane_weights_;
  MinifloatCode minifloat_;
  Index rows_ = 0;
  Index cols_ = 0;
  Index group_ = 0;
  int level_count_ = 0;
  std::array<Levels, 2> levels_{};
  std::array<std::array<bool, 256>, 2> is_level_{};
};

/// The packed weight `name` of a file that `add_packed` wrote: equal to what was written. Sums are made anew.
///
/// Errors, each naming file and weight: E_NOT_FOUND; E_VERSION for a later format; E_UNSUPPORTED for another scheme or
/// storage; E_SYNTAX, E_DUPLICATE, E_TYPE, E_RANGE for a description that cannot be read; E_TYPE, E_SHAPE and
/// E_MISMATCH for parts that do not fit together; E_VALUE for codes that stand for nothing and numbers that are not
/// finite; E_LIMIT for a weight that would take more memory than the file and 64 MiB. Class: exact.
[[nodiscard]] inline PackedMatrix load_packed(const SafetensorsFile& file, std::string_view name) {
  return PackedReader(file, name).read();
}

}  // namespace halfstep::inline HALFSTEP_ABI
