#pragma once

/// \file
/// Tensors in memory, about to be written, and which of them are the same memory.

#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// One tensor to be written, in memory that somebody else owns.
struct NamedTensor {
  std::string name;
  DType dtype = DType::U8;
  std::vector<Index> shape;
  std::span<const std::byte> bytes;
};

/// A tensor of these values, which must outlive it. Errors: E_MISMATCH at the time of writing if there are more or less
/// values than `shape` says.
template <class T>
[[nodiscard]] NamedTensor named_tensor(std::string name, std::span<const T> values, std::vector<Index> shape) {
  return {std::move(name), dtype_of<T>(), std::move(shape), std::as_bytes(values)};
}

/// A tensor `[rows, cols]` of a row-major matrix without gaps. Errors: a matrix with gaps is refused; a
/// `SafetensorsWriter` takes those row by row.
template <class T>
[[nodiscard]] NamedTensor named_tensor(std::string name, MatrixView<T> matrix) {
  require_readable("named_tensor", in_quotes(name), matrix);
  const bool is_dense = matrix.rows_are_contiguous() && (matrix.rows <= 1 || matrix.row_stride == matrix.cols);
  if (!matrix.empty() && !is_dense) {
    raise("named_tensor", in_quotes(name), " of shape ", shape_of(matrix), " has strides [", matrix.row_stride, ", ",
          matrix.col_stride, "], expected row-major values without gaps");
  }
  const std::span<const T> values(matrix.data, matrix.empty() ? 0 : static_cast<std::size_t>(matrix.size()));
  return {std::move(name), dtype_of<T>(), {matrix.rows, matrix.cols}, std::as_bytes(values)};
}

/// A tensor that was not written because it is the same memory as one that was.
struct TensorAlias {
  std::string name;
  std::string written_as;
  friend bool operator==(const TensorAlias&, const TensorAlias&) = default;
};

/// Pairs of positions (a tensor, the one it repeats) among `tensors`: of tensors that are the same memory, all but the
/// first. Errors: E_LAYOUT for tensors that share memory otherwise, in part or with another type or shape.
[[nodiscard]] inline std::vector<std::pair<std::size_t, std::size_t>> find_aliases(std::span<const NamedTensor> tensors,
                                                                                   std::string_view file) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].bytes.empty()) order.push_back(i);
  }
  const auto first = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(tensors[i].bytes.data()); };
  const auto last = [&](std::size_t i) { return first(i) + tensors[i].bytes.size(); };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(first(a), last(a), a) < std::tuple(first(b), last(b), b);
  });
  std::vector<std::pair<std::size_t, std::size_t>> aliases;
  for (std::size_t i = 0, kept = 0; i < order.size(); ++i) {
    const NamedTensor &before = tensors[order[kept]], &tensor = tensors[order[i]];
    if (i == 0 || first(order[i]) >= last(order[kept])) {
      kept = i;
    } else if (last(order[i]) == last(order[kept]) && first(order[i]) == first(order[kept]) &&
               tensor.dtype == before.dtype && tensor.shape == before.shape) {
      aliases.emplace_back(order[i], order[kept]);
    } else {
      raise_io(IoErrorCode::layout, file, "tensors ", in_quotes(before.name), " and ", in_quotes(tensor.name),
               " share memory without being the same tensor: copy one of them");
    }
  }
  return aliases;
}

}  // namespace halfstep::inline HALFSTEP_ABI
