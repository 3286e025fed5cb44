#pragma once

/// \file
/// Packed weights as tensors of a file. What is written: io/packed_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/owned_tensors.hpp"
#include "halfstep/io/packed_layout.hpp"
#include "halfstep/io/quantized_layout.hpp"
#include "halfstep/io/safetensors_header.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/unpack.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The JSON text of a packed weight.
[[nodiscard]] inline std::string packed_description(const PackedMatrix& weight) {
  nlohmann::json params = {{"storage", storage_name(weight.storage())}};
  for (int p = 0; p < weight.plane_count(); ++p) params["plane_weights"].push_back(weight.plane_weight(p));
  if (weight.needs_floats()) {
    params["exponent_bits"] = weight.minifloat().exponent_bits;
    params["mantissa_bits"] = weight.minifloat().mantissa_bits;
    params["largest_code"] = weight.minifloat().largest_code;
  }
  const nlohmann::json json = {{"scheme", packed_scheme},
                               {"scheme_version", packed_scheme_version},
                               {"bits", 8 / codes_per_byte(weight.storage())},
                               {"axis", 1},
                               {"group", weight.layout().group},
                               {"params", params}};
  return json.dump();
}

/// The codes of a packed weight without the kernels' order and padding.
[[nodiscard]] inline std::vector<std::uint8_t> packed_codes(const PackedMatrix& weight) {
  const int bits = 8 / codes_per_byte(weight.storage());
  const auto row_bytes = static_cast<std::size_t>(packed_bytes(weight.cols(), bits));
  const auto rows = static_cast<std::size_t>(weight.rows());
  const std::size_t planes = weight.shares_lines() ? 1 : static_cast<std::size_t>(weight.plane_count());
  std::vector<std::uint8_t> codes(planes * rows * row_bytes), row(static_cast<std::size_t>(weight.cols()));
  for_each_packed_row(weight, [&](Index n, const auto& laid_out) {
    for (std::size_t p = 0; p < planes; ++p) {
      for (Index k = 0; k < weight.cols(); ++k) {
        row[static_cast<std::size_t>(k)] = laid_out[p][static_cast<std::size_t>(weight.layout().position(k))];
      }
      std::uint8_t* const to = codes.data() + (p * rows + static_cast<std::size_t>(n)) * row_bytes;
      pack_bits(row, bits, {to, row_bytes});
    }
  });
  return codes;
}

/// Adds `weight` to the tensors and metadata of a file under `name`. Class: exact; `load_packed` is the inverse.
inline void add_packed(OwnedTensors& tensors, Metadata& metadata, const std::string& name, const PackedMatrix& weight) {
  metadata[quantized_tensor_key(name)] = packed_description(weight);
  const Index rows = weight.rows(), cols = weight.cols(), groups = weight.layout().groups();
  const Index planes = weight.plane_count();
  if (weight.storage() == WeightStorage::bytes) {
    tensors.add(part_name(name, "codes"), DType::I8, {planes, rows, cols}, packed_codes(weight));
  } else {
    const Index row_bytes = packed_bytes(cols, 8 / codes_per_byte(weight.storage()));
    tensors.add(part_name(name, "codes"), DType::U8, {rows, row_bytes}, packed_codes(weight));
  }
  if (weight.shares_lines()) {
    tensors.add<std::int64_t>(part_name(name, "cols"), DType::I64, {1}, {cols});
  }
  std::vector<float> scale, zero;
  for (Index g = 0; g < groups; ++g) {
    scale.insert(scale.end(), weight.scale(g), weight.scale(g) + rows);
    zero.insert(zero.end(), weight.zero(g), weight.zero(g) + rows);
  }
  tensors.add(part_name(name, "scale"), DType::F32, {groups, rows}, scale);
  tensors.add(part_name(name, "zero"), DType::F32, {groups, rows}, zero);
  if (weight.level_count() > 0 && !weight.needs_floats()) {
    std::vector<std::int8_t> levels;
    for (int p = 0; p < weight.plane_count(); ++p) {
      const auto& values = weight.code_values(p);
      levels.insert(levels.end(), values.begin(), values.begin() + weight.level_count());
    }
    tensors.add(part_name(name, "levels"), DType::I8, {planes, Index{weight.level_count()}}, levels);
  }
  if (!weight.input_order().empty()) {
    tensors.add(part_name(name, "input_order"), DType::I32, {cols}, weight.input_order());
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
