#pragma once

/// \file
/// What the header of a safetensors file says, as data.

#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/dtype.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// One tensor of a file: its name, element type, shape, and the bytes `[begin, end)` of the data section.
struct TensorInfo {
  std::string name;
  DType dtype = DType::U8;
  std::vector<Index> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  /// The size of its data in bytes.
  [[nodiscard]] std::uint64_t size() const { return end - begin; }
};

/// The number of elements of a checked tensor.
[[nodiscard]] inline Index element_count(const TensorInfo& info) {
  return static_cast<Index>(info.size() * 8 / static_cast<std::uint64_t>(bit_width(info.dtype)));
}

/// Key-value strings of a file, sorted.
using Metadata = std::map<std::string, std::string, std::less<>>;

/// A checked header.
struct SafetensorsHeader {
  Metadata metadata;                   ///< `__metadata__`, empty if there is none
  std::deque<TensorInfo> tensors;      ///< in the order of the header; in pieces, so that no allocation is large
  std::vector<std::uint32_t> by_name;  ///< positions in `tensors`, sorted by name
  std::size_t data_begin = 0;          ///< where the data section begins in the file
};

/// Where the published text and the reference reader of the format differ.
enum class HeaderRules {
  reference,  ///< white space may precede the object, unknown fields of a tensor are skipped
  published,  ///< the object begins at byte 8, unknown fields are an error
};

/// Limits of ours, so that a small hostile file cannot ask for much.
struct HeaderLimits {
  std::uint64_t max_header_bytes = 100'000'000;
  std::size_t max_tensors = 10'000'000;
  std::size_t max_metadata_entries = 262'144;
  std::size_t max_name_bytes = std::size_t{64} << 10;
  std::size_t max_string_bytes = std::size_t{16} << 20;  ///< of one metadata value as the file spells it
  std::size_t max_rank = 64;
  std::size_t max_nesting = 4;
};

/// How a header is read.
struct HeaderOptions {
  HeaderRules rules = HeaderRules::reference;
  HeaderLimits limits = {};
};

/// The two sizes of a tensor that is read as a matrix: leading dimensions become rows, the last one is the columns.
/// A vector is one row, a scalar one element.
[[nodiscard]] inline Shape matrix_shape(const TensorInfo& info) {
  if (info.shape.empty()) return {1, 1};
  Shape shape{1, info.shape.back()};
  for (std::size_t i = 0; i + 1 < info.shape.size(); ++i) shape.rows *= info.shape[i];
  return shape;
}

}  // namespace halfstep::inline HALFSTEP_ABI
