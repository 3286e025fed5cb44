#pragma once

/// \file
/// Reading quantized matrices: `load`. What is read: io/quantized_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/quantized_layout.hpp"
#include "halfstep/io/quantizer_scheme.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/io/tensor_values.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/scale_storage.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the metadata of a file says about one quantized matrix.
struct QuantizedDescription {
  std::string scheme;
  Index scheme_version = 0;
  Index bits = 0;
  Index axis = 0;
  Index group = 0;
  Index tile_rows = 0;
};

/// Reads one matrix of an open file; everything that it says is checked before it is used.
class QuantizedReader {
 public:
  /// Sizes of a matrix, and of its granules, up to which a file is believed.
  static constexpr Index largest_size = (Index{1} << 31) - 1;
  /// Bytes that an allocation may have beyond the file's own.
  static constexpr std::size_t allowance = std::size_t{64} << 20;

  QuantizedReader(const SafetensorsFile& file, std::string_view name) : file_(file), name_(name) {}

  [[nodiscard]] QuantizedDescription description() const {
    require_format();
    const auto entry = file_.metadata().find(quantized_tensor_key(name_));
    if (entry == file_.metadata().end()) {
      raise_io(IoErrorCode::not_found, file_.path(), "describes no quantized matrix ", in_quotes(name_));
    }
    const nlohmann::json json =
        parse_json(entry->second, file_.path(), concat("description of the quantized matrix ", in_quotes(name_)));
    if (!json.is_object()) fail(IoErrorCode::syntax, "has a description that is not a JSON object");
    const auto params = json.find("params");
    if (params == json.end() || !params->is_object()) fail(IoErrorCode::type, "has no object \"params\"");
    const auto scheme = json.find("scheme");
    if (scheme == json.end() || !scheme->is_string()) fail(IoErrorCode::type, "has no string \"scheme\"");
    return {scheme->get<std::string>(), number(json, "scheme_version"), number(json, "bits"),
            number(json, "axis"),       number(json, "group"),          number(*params, "tile_rows")};
  }

  /// Refuses a description of something else than codes of `Q`.
  template <StorableQuantizer Q>
  void require_scheme(const QuantizedDescription& d) const {
    using Scheme = QuantizerScheme<Q>;
    if (d.scheme != Scheme::name()) {
      fail(IoErrorCode::unsupported, "has the scheme ", in_quotes(d.scheme), ", expected ", in_quotes(Scheme::name()));
    }
    if (d.scheme_version < 1 || d.scheme_version > Scheme::version) {
      fail(IoErrorCode::version, "has version ", d.scheme_version, " of its scheme, expected 1 to ", Scheme::version);
    }
    if (d.bits != Q::bits) fail(IoErrorCode::mismatch, "has ", d.bits, " bits, expected ", Q::bits);
    if (d.axis != 1) fail(IoErrorCode::unsupported, "has groups along axis ", d.axis, ", expected 1");
  }

  [[nodiscard]] Shape shape() const {
    const std::string part = part_name(name_, "shape");
    file_.require_shape(part, {2}, "rows and columns");
    require_dtype(part, DType::I64);
    const auto sizes = file_.integers<std::int64_t>(part);
    for (const std::int64_t size : sizes) {
      if (size < 0 || size > largest_size) fail(IoErrorCode::range, "has a size of ", size, " in \"shape\"");
    }
    return {sizes[0], sizes[1]};
  }

  [[nodiscard]] Tiling tiling(const QuantizedDescription& d, Shape shape) const {
    Tiling tiling{d.tile_rows, d.group, {}};
    const std::string part = part_name(name_, "groups");
    if (!file_.contains(part)) return tiling;
    file_.require_shape(part, {shape.cols}, "columns");
    require_dtype(part, DType::I32);
    tiling.column_groups = file_.integers<std::int32_t>(part);
    std::vector<bool> is_used;
    for (const std::int32_t group : tiling.column_groups) {
      if (group < 0 || group >= shape.cols) fail(IoErrorCode::range, "sends a column to group ", group);
      const auto at = static_cast<std::size_t>(group);
      if (at >= is_used.size()) is_used.resize(at + 1);
      is_used[at] = true;
    }
    if (std::find(is_used.begin(), is_used.end(), false) != is_used.end()) {
      fail(IoErrorCode::value, "has a group without a column in \"groups\"");
    }
    return tiling;
  }

  /// Refuses codes of another type or shape, and bits that belong to no code.
  template <StorableQuantizer Q>
  [[nodiscard]] std::span<const std::byte> codes(Shape shape) const {
    const std::string part = part_name(name_, "codes");
    const Index row_bytes = packed_bytes(shape.cols, Q::bits);
    file_.require_shape(part, {shape.rows, row_bytes}, "\"shape\" and \"bits\"");
    require_dtype(part, DType::U8);
    const std::span<const std::byte> bytes = file_.bytes(part);
    const int unused = static_cast<int>(8 * row_bytes - shape.cols * Q::bits);
    for (std::size_t end = static_cast<std::size_t>(row_bytes); unused > 0 && end <= bytes.size();
         end += static_cast<std::size_t>(row_bytes)) {
      if (std::to_integer<int>(bytes[end - 1]) >> (8 - unused) == 0) continue;
      fail(IoErrorCode::value, "has bits after the last code of row ", (end - 1) / static_cast<std::size_t>(row_bytes));
    }
    return bytes;
  }

  /// Refuses parameters of other types or shapes, and scales that take more memory than the file accounts for. Returns
  /// how scales are stored; f32 where the quantizer has none.
  template <StorableQuantizer Q>
  [[nodiscard]] ScaleStorage require_parameters(const TilingGrid& grid) const {
    ScaleStorage storage = ScaleStorage::f32;
    for_each_parameter<Q>([&](auto index) {
      constexpr std::size_t i = decltype(index)::value;
      using Member = ParameterMember<Q, i>;
      const std::string part = part_name(name_, QuantizerScheme<Q>::parameters[i]);
      const ParameterRole role = parameter_role<Q, i>();
      const std::vector<Index> shape = parameter_shape<Member>(grid, role);
      file_.require_shape(part, shape, "\"shape\" and the tiling");
      if (role == ParameterRole::scale) {
        storage = scale_storage<Q>(part);
      } else {
        require_dtype(part, dtype_of<typename ParameterElement<Member>::type>());
      }
    });
    // Narrow scales and a tensor's scale are read as floats, one for each granule; all else is as large as in the file.
    const std::size_t bytes = static_cast<std::size_t>(grid.count()) * sizeof(float);
    if (bytes > file_.size() + allowance) {
      fail(IoErrorCode::limit, "has ", grid.count(),
           " granules, whose scales would take more memory than the file and ", allowance, " bytes");
    }
    return storage;
  }

  /// Member number `I` of each quantizer, to where it stays.
  template <std::size_t I, class Q>
  void read_parameter(QuantizedMatrix<Q>& matrix) const {
    const auto members = matrix.template parameter_array<I>();
    const std::string part = part_name(name_, QuantizerScheme<Q>::parameters[I]);
    const std::span<const std::byte> bytes = file_.bytes(part);
    if constexpr (std::is_same_v<ParameterMember<Q, I>, float>) {
      if (parameter_role<Q, I>() == ParameterRole::tensor_scale) {
        float value;
        std::memcpy(&value, bytes.data(), sizeof value);
        std::fill(members.begin(), members.end(), value);
      } else {
        // Any type of scales is one of floats.
        static_cast<void>(visit_floats(file_.tensor(part).dtype, bytes,
                                       [&](std::size_t i, auto x) { members[i] = static_cast<float>(x); }));
      }
    } else {
      if (!members.empty()) std::memcpy(members.data(), bytes.data(), members.size_bytes());
    }
  }

  /// The quantizers of all granules. Refuses parameters with which codes would have no meaning.
  template <StorableQuantizer Q>
  void read_parameters(QuantizedMatrix<Q>& matrix) const {
    for_each_parameter<Q>([&](auto index) { read_parameter<decltype(index)::value>(matrix); });
    for (Index i = 0; i < matrix.grid().count(); ++i) {
      if (QuantizerScheme<Q>::is_valid(matrix.quantizer(i))) continue;
      fail(IoErrorCode::value, "has parameters of granule ", i, " that are out of range");
    }
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(IoErrorCode code, const Parts&... parts) const {
    raise_io(code, file_.path(), "quantized matrix ", in_quotes(name_), " ", parts...);
  }

  template <class Q>
  [[nodiscard]] ScaleStorage scale_storage(const std::string& part) const {
    if constexpr (BlockFormat<Q>) {
      require_dtype(part, dtype_of_storage(Q::scale_storage));
      return Q::scale_storage;
    } else {
      const DType dtype = file_.tensor(part).dtype;
      const auto found = storage_of_dtype(dtype);
      if (!found) {
        fail(IoErrorCode::type, "stores scales as ", dtype, ", expected F32, F16, F8_E8M0 or F8_E4M3");
      }
      return *found;
    }
  }

  void require_dtype(const std::string& part, DType expected) const {
    const DType dtype = file_.tensor(part).dtype;
    if (dtype == expected) return;
    raise_io(IoErrorCode::type, file_.path(), "tensor ", in_quotes(part), " has dtype ", dtype, ", expected ",
             expected);
  }

  /// Refuses a file of a later format, and one that is not of this format at all.
  void require_format() const {
    const auto entry = file_.metadata().find(quantized_format_key);
    if (entry == file_.metadata().end()) {
      raise_io(IoErrorCode::not_found, file_.path(), "has no \"", quantized_format_key, "\" in its metadata");
    }
    const std::string& text = entry->second;
    int version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    const bool is_number = error == std::errc() && (end == text.data() + text.size() || *end == '.');
    if (is_number && version >= 1 && version <= quantized_format_version) return;
    raise_io(IoErrorCode::version, file_.path(), "has \"", quantized_format_key, "\": ", in_quotes(text),
             ", expected 1");
  }

  [[nodiscard]] Index number(const nlohmann::json& object, const char* key) const {
    const auto entry = object.find(key);
    if (entry == object.end() || !entry->is_number_unsigned()) {
      fail(IoErrorCode::type, "has no \"", key, "\" that is an integer of at least 0");
    }
    const auto value = entry->get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(largest_size)) {
      fail(IoErrorCode::range, "has ", value, " as \"", key, "\", expected at most ", largest_size);
    }
    return static_cast<Index>(value);
  }

  const SafetensorsFile& file_;
  std::string_view name_;
};

/// The quantized matrix `name` of a file that `save` wrote: the same codes, parameters and tiling.
///
///     const auto file = hs::SafetensorsFile::open("model.safetensors");
///     const auto qkv = hs::load<hs::Uniform<4>>(file, "blocks.0.qkv.weight");
///
/// Errors, each naming file and matrix: E_NOT_FOUND; E_VERSION for a later format; E_UNSUPPORTED for another scheme;
/// E_MISMATCH for other bits; E_SYNTAX, E_DUPLICATE, E_TYPE, E_RANGE for a description that cannot be read; E_TYPE and
/// E_SHAPE for parts of other types than io/quantized_layout.hpp says, or that do not fit together; E_VALUE for
/// parameters out of range; E_LIMIT for scales (4 bytes each in memory, 1 or more in a file) that would take more than
/// the size of the file and 64 MiB. No allocation is larger than that.
template <StorableQuantizer Q>
[[nodiscard]] QuantizedMatrix<Q> load(const SafetensorsFile& file, std::string_view name) {
  const QuantizedReader reader(file, name);
  const QuantizedDescription description = reader.description();
  reader.template require_scheme<Q>(description);
  const Shape shape = reader.shape();
  const Tiling tiling = reader.tiling(description, shape);
  const std::span<const std::byte> codes = reader.template codes<Q>(shape);
  QuantizedMatrix<Q> matrix(shape, tiling, reader.template require_parameters<Q>(TilingGrid(tiling, shape)));
  reader.read_parameters(matrix);
  if (!codes.empty()) std::memcpy(matrix.packed_row(0).data(), codes.data(), codes.size());
  return matrix;
}

}  // namespace halfstep::inline HALFSTEP_ABI
