#pragma once

/// \file
/// The rules that concern all tensors of a safetensors file together: names are unique, data has no holes.

#include "halfstep/io/io_error.hpp"
#include "halfstep/io/tensor_info.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Positions of `tensors`, sorted by `less(tensor, tensor)`.
template <class Less>
[[nodiscard]] std::vector<std::uint32_t> sorted_positions(const std::deque<TensorInfo>& tensors, Less less) {
  std::vector<std::uint32_t> positions(tensors.size());
  std::iota(positions.begin(), positions.end(), std::uint32_t{0});
  std::sort(positions.begin(), positions.end(),
            [&](std::uint32_t a, std::uint32_t b) { return less(tensors[a], tensors[b]); });
  return positions;
}

/// Positions of `tensors`, sorted by name. Errors: E_DUPLICATE naming a name that appears twice.
[[nodiscard]] inline std::vector<std::uint32_t> index_by_name(const std::deque<TensorInfo>& tensors,
                                                              std::string_view file) {
  auto positions = sorted_positions(tensors, [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
  const auto twin = std::adjacent_find(positions.begin(), positions.end(), [&](std::uint32_t a, std::uint32_t b) {
    return tensors[a].name == tensors[b].name;
  });
  if (twin != positions.end()) {
    raise_io(IoErrorCode::duplicate, file, "tensor ", in_quotes(tensors[*twin].name), " appears twice in the header");
  }
  return positions;
}

/// Checks that the tensors, ordered by where they begin and then end, cover the `data_size` bytes of the data section:
/// each begins where the one before ended. Errors: E_LAYOUT naming both neighbours of a hole or an overlap.
inline void require_full_cover(const std::deque<TensorInfo>& tensors, std::uint64_t data_size, std::string_view file) {
  const auto positions = sorted_positions(tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t covered = 0;
  const TensorInfo* previous = nullptr;
  for (const std::uint32_t position : positions) {
    const TensorInfo& tensor = tensors[position];
    if (tensor.begin != covered) {
      const std::string before = previous != nullptr ? "tensor " + in_quotes(previous->name) + " ends"
                                                     : std::string("the data section begins");
      raise_io(IoErrorCode::layout, file, "tensor ", in_quotes(tensor.name), " begins at data offset ", tensor.begin,
               " but ", before, " at ", covered, tensor.begin < covered ? ": they overlap" : ": a hole");
    }
    covered = tensor.end;
    previous = &tensor;
  }
  if (covered == data_size) return;
  raise_io(IoErrorCode::layout, file, "file not fully covered: tensors",
           previous != nullptr ? concat(" up to ", in_quotes(previous->name)) : std::string(), " take ", covered,
           " bytes, the data section has ", data_size);
}

}  // namespace halfstep::inline HALFSTEP_ABI
