#pragma once

/// \file
/// Reading safetensors files.

#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/loaded_matrix.hpp"
#include "halfstep/io/mapped_file.hpp"
#include "halfstep/io/safetensors_header.hpp"
#include "halfstep/io/tensor_info.hpp"
#include "halfstep/io/tensor_values.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a file is opened.
struct SafetensorsOptions {
  FileAccess access = FileAccess::map;
  HeaderOptions header = {};
};

/// An open safetensors file: a checked header and the data behind it.
///
///     const auto file = hs::SafetensorsFile::open("deit_small.safetensors");
///     const auto qkv = file.matrix("blocks.3.attn.qkv.weight");           // floats, whatever the file stores
///     const auto bias = file.view<float>("blocks.3.attn.qkv.bias");       // no copy
///
/// Const access is safe from any number of threads. Views and spans are valid as long as the object, or the one it was
/// moved to, lives. All messages name the file and the tensor.
class SafetensorsFile {
 public:
  /// Opens the file at `path` and checks its header. Errors: those of `MappedFile::open` and of
  /// `parse_safetensors_header`. Cost: in proportion to the header with `FileAccess::map`.
  [[nodiscard]] static SafetensorsFile open(const std::filesystem::path& path, const SafetensorsOptions& options = {}) {
    MappedFile file = MappedFile::open(path, options.access);
    const std::span<const std::byte> bytes = file.bytes();
    SafetensorsHeader header = parse_safetensors_header(bytes, file.path(), options.header);
    return {std::move(file), bytes, path.string(), std::move(header)};
  }

  /// The same for a file that lies in memory, which must outlive the object; `name` stands for it in messages.
  [[nodiscard]] static SafetensorsFile from_memory(std::span<const std::byte> bytes, std::string name,
                                                   const HeaderOptions& options = {}) {
    SafetensorsHeader header = parse_safetensors_header(bytes, name, options);
    return {MappedFile(), bytes, std::move(name), std::move(header)};
  }

  /// The path as it was given.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Bytes of the whole file.
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

  /// The strings of `__metadata__`; empty if the file has none.
  [[nodiscard]] const Metadata& metadata() const noexcept { return header_.metadata; }

  /// All tensors, in the order of the header.
  [[nodiscard]] const std::deque<TensorInfo>& tensors() const noexcept { return header_.tensors; }

  /// The tensor `name`, or null if there is none. Cost: a binary search.
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The tensor `name`. Errors: E_NOT_FOUND.
  [[nodiscard]] const TensorInfo& tensor(std::string_view name) const;

  /// The tensor's data as it is stored, at any alignment. Errors: E_NOT_FOUND.
  [[nodiscard]] std::span<const std::byte> bytes(std::string_view name) const { return bytes_of(tensor(name)); }

  /// Checks the shape of a tensor against what it must be; `source` says what that follows from, such as "dim".
  /// Errors: E_NOT_FOUND, E_SHAPE with both shapes.
  void require_shape(std::string_view name, std::span<const Index> expected, std::string_view source) const;
  void require_shape(std::string_view name, std::initializer_list<Index> expected, std::string_view source) const {
    require_shape(name, std::span<const Index>(expected.begin(), expected.size()), source);
  }

  /// The tensor as an owned matrix of `Real` (float or double): leading dimensions become rows, a vector is one row, a
  /// scalar one element. Every real and integer type is converted, see `real_values`; then `non_finite` is applied.
  /// Errors: E_NOT_FOUND, E_UNSUPPORTED, E_VALUE. Cost: two passes, one allocation.
  template <class Real = float>
  [[nodiscard]] LoadedMatrix<Real> matrix(std::string_view name, NonFinite non_finite = NonFinite::error) const;

  /// The tensor as a matrix (shaped as above) of the values that lie in the file, without a copy. Errors: E_NOT_FOUND;
  /// E_TYPE if it does not store `T`; E_MISALIGNED if its address is no multiple of `alignof(T)`, which a file may
  /// bring about: `is_viewable` asks first, `matrix` and `integers` read it in any case.
  template <class T>
  [[nodiscard]] MatrixView<const T> view(std::string_view name) const;

  /// Whether `view<T>(name)` succeeds for the tensor, which must exist. Errors: E_NOT_FOUND.
  template <class T>
  [[nodiscard]] bool is_viewable(std::string_view name) const {
    const TensorInfo& info = tensor(name);
    return info.dtype == dtype_of<T>() && is_aligned<T>(info);
  }

  /// The elements of a tensor of any integer type or BOOL, row-major, as `Integer`: std::int32_t, std::int64_t,
  /// std::uint8_t or another. Errors: E_NOT_FOUND, E_TYPE, E_RANGE for an element that does not fit.
  template <class Integer>
  [[nodiscard]] std::vector<Integer> integers(std::string_view name) const {
    const TensorInfo& info = tensor(name);
    return integer_values<Integer>(info, bytes_of(info), path_);
  }

 private:
  SafetensorsFile(MappedFile file, std::span<const std::byte> bytes, std::string path, SafetensorsHeader header)
      : file_(std::move(file)), bytes_(bytes), path_(std::move(path)), header_(std::move(header)) {}

  [[nodiscard]] std::span<const std::byte> bytes_of(const TensorInfo& info) const {
    return bytes_.subspan(header_.data_begin + static_cast<std::size_t>(info.begin),
                          static_cast<std::size_t>(info.size()));
  }

  template <class T>
  [[nodiscard]] bool is_aligned(const TensorInfo& info) const {
    return info.size() == 0 || reinterpret_cast<std::uintptr_t>(bytes_of(info).data()) % alignof(T) == 0;
  }

  MappedFile file_;
  std::span<const std::byte> bytes_;  // of file_, which keeps them in place when it is moved, or of the caller
  std::string path_;
  SafetensorsHeader header_;
};

inline const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto& order = header_.by_name;
  const auto at = std::lower_bound(order.begin(), order.end(), name, [&](std::uint32_t position, std::string_view key) {
    return header_.tensors[position].name < key;
  });
  if (at == order.end() || header_.tensors[*at].name != name) return nullptr;
  return &header_.tensors[*at];
}

inline const TensorInfo& SafetensorsFile::tensor(std::string_view name) const {
  if (const TensorInfo* info = find(name)) return *info;
  raise_io(IoErrorCode::not_found, path_, "has no tensor ", in_quotes(name), " among its ", header_.tensors.size());
}

inline void SafetensorsFile::require_shape(std::string_view name, std::span<const Index> expected,
                                           std::string_view source) const {
  const TensorInfo& info = tensor(name);
  if (std::equal(info.shape.begin(), info.shape.end(), expected.begin(), expected.end())) return;
  raise_io(IoErrorCode::shape, path_, "tensor ", in_quotes(name), " has shape ", shape_text(info.shape), ", expected ",
           shape_text(expected), " from ", source);
}

template <class Real>
LoadedMatrix<Real> SafetensorsFile::matrix(std::string_view name, NonFinite non_finite) const {
  const TensorInfo& info = tensor(name);
  const Shape shape = matrix_shape(info);
  LoadedMatrix<Real> result{real_values<Real>(info, bytes_of(info), path_), shape.rows, shape.cols, {}};
  apply_non_finite_policy(result, non_finite, name, path_);
  return result;
}

template <class T>
MatrixView<const T> SafetensorsFile::view(std::string_view name) const {
  const TensorInfo& info = tensor(name);
  if (info.dtype != dtype_of<T>()) {
    raise_io(IoErrorCode::type, path_, "tensor ", in_quotes(name), " has dtype ", info.dtype, ", expected ",
             dtype_of<T>(), " for a view without a copy");
  }
  const std::span<const std::byte> data = bytes_of(info);
  if (!is_aligned<T>(info)) {
    raise_io(IoErrorCode::misaligned, path_, "tensor ", in_quotes(name), " of ", info.dtype, " begins at byte ",
             header_.data_begin + static_cast<std::size_t>(info.begin), ", not a multiple of ", alignof(T),
             ": it can be copied, but not viewed");
  }
  const Shape shape = matrix_shape(info);
  return {reinterpret_cast<const T*>(data.data()), shape.rows, shape.cols};
}

}  // namespace halfstep::inline HALFSTEP_ABI
