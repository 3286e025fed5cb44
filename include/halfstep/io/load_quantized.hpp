#pragma once

/// \file
/// Reading quantized matrices: `load`. What is read: io/quantized_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/io/described_tensors.hpp"
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
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
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
  QuantizedReader(const SafetensorsFile& file, std::string_view name)
      : tensors_(file, "quantized matrix", name), file_(file), name_(name) {}

  [[nodiscard]] QuantizedDescription description() const {
    tensors_.require_version(quantized_format_key, quantized_format_version);
    const nlohmann::json json = tensors_.description(quantized_tensor_key(name_));
    const auto params = json.find("params");
    if (params == json.end() || !params->is_object()) fail(IoErrorCode::type, "has no object \"params\"");
    const auto number = [&](const char* key) { return tensors_.number(json, key); };
    return {
        tensors_.text(json, "scheme"),        number("scheme_version"), number("bits"), number("axis"), number("group"),
        tensors_.number(*params, "tile_rows")};
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

  [[nodiscard]] Shape shape() const { return tensors_.shape(); }

  [[nodiscard]] Tiling tiling(const QuantizedDescription& d, Shape shape) const {
    return {d.tile_rows, d.group, tensors_.column_groups(shape.cols)};
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
    if (bytes > file_.size() + DescribedTensors::allowance) {
      fail(IoErrorCode::limit, "has ", grid.count(),
           " granules, whose scales would take more memory than the file and ", DescribedTensors::allowance, " bytes");
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
    tensors_.fail(code, parts...);
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

  void require_dtype(const std::string& part, DType expected) const { tensors_.require_dtype(part, expected); }

  DescribedTensors tensors_;
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
