#pragma once

/// \file
/// Writing quantized matrices: `save`. What is written: io/quantized_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/atomic_file.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/owned_tensors.hpp"
#include "halfstep/io/quantized_layout.hpp"
#include "halfstep/io/quantizer_scheme.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "halfstep/io/tensor_info.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/scale_storage.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Quantized matrices of any kinds, to be written as one file.
///
///     hs::QuantizedTensors tensors;
///     tensors.add("blocks.0.qkv.weight", qkv);   // hs::QuantizedMatrix<hs::Uniform<4>>
///     tensors.add("blocks.0.proj.weight", proj); // hs::QuantizedMatrix<hs::MXFP4>
///     hs::save("model.safetensors", tensors);
///
/// Codes are not copied: matrices must outlive the object.
class QuantizedTensors {
 public:
  /// Adds `matrix` under `name`. Errors: E_NOT_REPRESENTABLE for a scale that its storage type does not hold, and for
  /// tensor scales that differ; E_VALUE for parameters that a reader would refuse. After an error nothing is added.
  template <StorableQuantizer Q>
  void add(const std::string& name, const QuantizedMatrix<Q>& matrix) {
    require_storable(name, matrix);
    metadata_[quantized_tensor_key(name)] = description(matrix);
    const Index row_bytes = matrix.rows() > 0 ? static_cast<Index>(matrix.packed_row(0).size()) : 0;
    const std::uint8_t* const codes = matrix.rows() > 0 ? matrix.packed_row(0).data() : nullptr;
    const auto code_bytes = static_cast<std::size_t>(matrix.rows() * row_bytes);
    tensors_.add({part_name(name, "codes"),
                  DType::U8,
                  {matrix.rows(), packed_bytes(matrix.cols(), Q::bits)},
                  std::as_bytes(std::span<const std::uint8_t>(codes, code_bytes))});
    tensors_.add<std::int64_t>(part_name(name, "shape"), DType::I64, {2}, {matrix.rows(), matrix.cols()});
    if (matrix.tiling().is_column_map()) {
      tensors_.add(part_name(name, "groups"), DType::I32, {matrix.cols()}, matrix.tiling().column_groups);
    }
    add_parameters(name, matrix);
  }

  [[nodiscard]] const std::deque<NamedTensor>& tensors() const { return tensors_.tensors(); }
  [[nodiscard]] const Metadata& metadata() const { return metadata_; }

 private:
  template <class Q>
  [[nodiscard]] static std::string description(const QuantizedMatrix<Q>& matrix) {
    const Tiling& tiling = matrix.tiling();
    const nlohmann::json json = {{"scheme", QuantizerScheme<Q>::name()},
                                 {"scheme_version", QuantizerScheme<Q>::version},
                                 {"bits", Q::bits},
                                 {"axis", 1},
                                 {"group", tiling.tile_cols},
                                 {"rounding", QuantizerScheme<Q>::rounding},
                                 {"params", {{"tile_rows", tiling.tile_rows}}}};
    return json.dump();
  }

  /// Refuses parameters that a file cannot hold.
  template <class Q>
  static void require_storable(const std::string& name, const QuantizedMatrix<Q>& matrix) {
    for (Index i = 0; i < matrix.grid().count(); ++i) {
      if (QuantizerScheme<Q>::is_valid(matrix.quantizer(i))) continue;
      raise_io(IoErrorCode::value, name, "granule ", i, " has parameters that no reader accepts");
    }
    for_each_parameter<Q>([&](auto index) {
      constexpr std::size_t i = decltype(index)::value;
      if constexpr (std::is_same_v<ParameterMember<Q, i>, float>) {
        const std::string part = part_name(name, QuantizerScheme<Q>::parameters[i]);
        const ParameterRole role = parameter_role<Q, i>();
        const std::span<const float> values = matrix.parameters().template array<i>();
        if (role == ParameterRole::scale) require_stored(part, values, matrix.scale_storage());
        if (role == ParameterRole::tensor_scale) require_equal(part, values);
      }
    });
  }

  static void require_stored(const std::string& name, std::span<const float> scales, ScaleStorage storage) {
    for (std::size_t i = 0; i < scales.size(); ++i) {
      if (stored_scale(scales[i], storage) == scales[i]) continue;
      raise_io(IoErrorCode::not_representable, name, "scale ", i, " is ", scales[i], ", which ",
               dtype_of_storage(storage), " does not hold");
    }
  }

  static void require_equal(const std::string& name, std::span<const float> scales) {
    for (const float scale : scales) {
      if (scale == scales[0]) continue;
      raise_io(IoErrorCode::not_representable, name, "granules have different scales of the tensor, ", scales[0],
               " and ", scale);
    }
  }

  /// One tensor for each member of the quantizer.
  template <class Q>
  void add_parameters(const std::string& name, const QuantizedMatrix<Q>& matrix) {
    for_each_parameter<Q>([&](auto index) { add_parameter<decltype(index)::value>(name, matrix); });
  }

  /// Member number `I` of each quantizer.
  template <std::size_t I, class Q>
  void add_parameter(const std::string& name, const QuantizedMatrix<Q>& matrix) {
    const auto members = matrix.parameters().template array<I>();
    using Member = typename decltype(members)::value_type;
    using T = typename ParameterElement<Member>::type;
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::int32_t>, "parameters are float or int32");
    std::vector<T> values(members.size() * ParameterElement<Member>::count);
    if (!values.empty()) std::memcpy(values.data(), members.data(), members.size_bytes());
    const std::string part = part_name(name, QuantizerScheme<Q>::parameters[I]);
    const ParameterRole role = parameter_role<Q, I>();
    std::vector<Index> shape = parameter_shape<Member>(matrix.grid(), role);
    if constexpr (std::is_same_v<T, float>) {
      if (role == ParameterRole::scale) return add_scales(part, shape, values, matrix.scale_storage());
      if (role == ParameterRole::tensor_scale) values.assign(1, values.empty() ? 1.0f : values[0]);
    }
    tensors_.add(part, dtype_of<T>(), std::move(shape), values);
  }

  void add_scales(const std::string& name, const std::vector<Index>& shape, const std::vector<float>& values,
                  ScaleStorage storage) {
    const auto add_codes = [&](auto encode) {
      std::vector<decltype(encode(1.0f))> codes;
      codes.reserve(values.size());
      for (const float value : values) codes.push_back(encode(value));
      tensors_.add(name, dtype_of_storage(storage), shape, codes);
    };
    switch (storage) {
      case ScaleStorage::f16:
        return add_codes(half_from_float);
      case ScaleStorage::e8m0:
        return add_codes(encode_e8m0_up);
      case ScaleStorage::e4m3:
        return add_codes(encode_e4m3_scale);
      case ScaleStorage::f32:
        break;
    }
    tensors_.add(name, DType::F32, shape, values);
  }

  OwnedTensors tensors_;
  Metadata metadata_;
};

/// Writes quantized matrices as one safetensors file, which `load` reads and every safetensors reader opens. The same
/// matrices give the same bytes. Nothing appears under `path` before the file is complete. Returns its size in bytes.
/// Errors: those of `SafetensorsWriter`.
inline std::uint64_t save(const std::filesystem::path& path, const QuantizedTensors& tensors,
                          Existing existing = Existing::refuse) {
  Metadata metadata = tensors.metadata();
  metadata.emplace(quantized_format_key, std::to_string(quantized_format_version));
  return write_each_tensor(path, tensors.tensors(), {.metadata = std::move(metadata), .existing = existing});
}

/// The same for one matrix. Errors: those of `QuantizedTensors::add` as well.
template <StorableQuantizer Q>
std::uint64_t save(const std::filesystem::path& path, const std::string& name, const QuantizedMatrix<Q>& matrix,
                   Existing existing = Existing::refuse) {
  QuantizedTensors tensors;
  tensors.add(name, matrix);
  return save(path, tensors, existing);
}

}  // namespace halfstep::inline HALFSTEP_ABI
