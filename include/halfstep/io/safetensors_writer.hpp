#pragma once

/// \file
/// Writing safetensors files, one tensor in memory at a time.

#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/atomic_file.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/tensor_info.hpp"
#include "halfstep/io/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a file is written.
struct SafetensorsWriteOptions {
  Metadata metadata = {};  ///< strings for `__metadata__`, beside "format": "pt", which is always there
  Existing existing = Existing::refuse;
};

/// Writes a safetensors file in two passes: `declare` all tensors, then `append` their data, in any order of tensors.
///
///     hs::SafetensorsWriter writer("model-int8.safetensors", {.metadata = {{"halfstep.format", "1"}}});
///     for (const auto& layer : layers) writer.declare(layer.name, hs::DType::I8, layer.shape);
///     for (const auto& layer : layers) writer.append(layer.name, codes_of(layer));
///     writer.finish();
///
/// The same tensors and metadata give the same bytes, whatever the order of the calls: tensors are sorted by type, the
/// widest first, then by name, so each is aligned for its type; the header is padded to a multiple of 8. Nothing
/// appears under the final name before `finish`, see `AtomicFile`; without `finish`, never. Memory: the header.
/// Errors: E_IO of the system; those below for what is declared and appended, after which the writer goes on.
class SafetensorsWriter {
 public:
  /// Errors: E_IO, as `AtomicFile`; E_SYNTAX for metadata that is not UTF-8; E_MISMATCH for another "format" than "pt".
  explicit SafetensorsWriter(const std::filesystem::path& path, SafetensorsWriteOptions options = {})
      : file_(path, options.existing), name_(path.string()), metadata_(std::move(options.metadata)) {
    const auto [format, is_new] = metadata_.emplace("format", "pt");
    if (!is_new && format->second != "pt") {
      raise_io(IoErrorCode::mismatch, name_, "metadata has \"format\": ", in_quotes(format->second),
               ", expected \"pt\"");
    }
    for (const auto& [key, value] : metadata_) {
      require_utf8("metadata key", key);
      require_utf8("metadata value", value);
    }
  }

  /// Announces a tensor. Errors: E_SYNTAX for a name that is not UTF-8; E_LIMIT for a name or rank beyond
  /// `HeaderLimits`; E_DUPLICATE; E_RANGE, E_OVERFLOW, E_MISALIGNED for its shape; E_LAYOUT after the first `append`.
  void declare(std::string_view name, DType dtype, std::span<const Index> shape);
  void declare(std::string_view name, DType dtype, std::initializer_list<Index> shape) {
    declare(name, dtype, std::span<const Index>(shape.begin(), shape.size()));
  }

  /// Writes the next bytes of the tensor `name`: all, or one piece after the other. Errors: E_NOT_FOUND; E_MISMATCH
  /// for more than its size.
  void append(std::string_view name, std::span<const std::byte> data);

  /// Writes the elements of `matrix`, row by row, as the next of the tensor `name`. Errors: E_TYPE if it was declared
  /// with another type than that of `T`; E_MISMATCH as above.
  template <class T>
  void append(std::string_view name, MatrixView<T> matrix);

  /// Completes the file and returns its size in bytes. Errors: E_MISMATCH naming a tensor whose data is not complete.
  std::uint64_t finish();

 private:
  struct Entry {
    TensorInfo info;
    std::uint64_t written = 0;
  };

  void require_utf8(std::string_view what, std::string_view text) const {
    const std::size_t at = first_invalid_utf8(text);
    if (at == std::string_view::npos) return;
    raise_io(IoErrorCode::syntax, name_, what, " ", in_quotes(text), " is not UTF-8 at its byte ", at);
  }
  void require_declarable(const TensorInfo& info) const;
  [[nodiscard]] Entry& entry(std::string_view name);
  void require_room(const Entry& target, std::uint64_t bytes) const;
  void write_header();
  [[nodiscard]] std::string header_text(const std::vector<const TensorInfo*>& order) const;
  [[nodiscard]] bool has_header() const { return data_begin_ != 0; }

  AtomicFile file_;
  std::string name_;
  Metadata metadata_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t data_begin_ = 0;
  std::uint64_t data_size_ = 0;
};

/// What `write_safetensors` did.
struct SafetensorsWriteReport {
  std::uint64_t bytes = 0;           ///< the size of the file
  std::vector<TensorAlias> aliases;  ///< sorted by name
};

/// Writes these tensors as one file. Tensors that are the same memory, with the same type and shape, are written once,
/// under the name that comes first in `tensors`; the others are reported. Errors: those of `SafetensorsWriter` and
/// `find_aliases`; E_MISMATCH for a tensor of more or less bytes than its shape says.
inline SafetensorsWriteReport write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                                                SafetensorsWriteOptions options = {}) {
  SafetensorsWriteReport report;
  std::vector<bool> is_alias(tensors.size());
  for (const auto& [position, kept] : find_aliases(tensors, path.string())) {
    is_alias[position] = true;
    report.aliases.push_back({tensors[position].name, tensors[kept].name});
  }
  std::sort(report.aliases.begin(), report.aliases.end(),
            [](const TensorAlias& a, const TensorAlias& b) { return a.name < b.name; });
  SafetensorsWriter writer(path, std::move(options));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!is_alias[i]) writer.declare(tensors[i].name, tensors[i].dtype, tensors[i].shape);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!is_alias[i]) writer.append(tensors[i].name, tensors[i].bytes);
  }
  report.bytes = writer.finish();
  return report;
}

/// Writes these tensors, any range of `NamedTensor`, as one file, each under its own name whatever memory it shares.
/// Returns its size in bytes. Errors: those of `SafetensorsWriter`.
template <class Tensors>
std::uint64_t write_each_tensor(const std::filesystem::path& path, const Tensors& tensors,
                                SafetensorsWriteOptions options = {}) {
  SafetensorsWriter writer(path, std::move(options));
  for (const NamedTensor& tensor : tensors) writer.declare(tensor.name, tensor.dtype, tensor.shape);
  for (const NamedTensor& tensor : tensors) writer.append(tensor.name, tensor.bytes);
  return writer.finish();
}

inline void SafetensorsWriter::require_declarable(const TensorInfo& info) const {
  const auto fail = [&](IoErrorCode code, const auto&... parts) {
    raise_io(code, name_, "tensor ", in_quotes(info.name), " ", parts...);
  };
  constexpr HeaderLimits limits;
  require_utf8("tensor name", info.name);
  if (info.name.size() > limits.max_name_bytes) {
    fail(IoErrorCode::limit, "has a name of more than ", limits.max_name_bytes, " bytes");
  }
  if (info.name == "__metadata__" || entries_.contains(info.name)) fail(IoErrorCode::duplicate, "is there already");
  if (info.shape.size() > limits.max_rank) {
    fail(IoErrorCode::limit, "has ", info.shape.size(), " dimensions, more than ", limits.max_rank);
  }
  if (std::any_of(info.shape.begin(), info.shape.end(), [](Index size) { return size < 0; })) {
    fail(IoErrorCode::range, "has shape ", shape_text(info.shape), ", expected sizes of at least 0");
  }
  const auto bits = checked_bits(info.dtype, info.shape);
  if (!bits) fail(IoErrorCode::overflow, "has shape ", shape_text(info.shape), ", whose size in bits exceeds 2^63 - 1");
  if (*bits % 8 != 0) fail(IoErrorCode::misaligned, "takes ", *bits, " bits, expected whole bytes");
}

inline void SafetensorsWriter::declare(std::string_view name, DType dtype, std::span<const Index> shape) {
  if (has_header()) {
    raise_io(IoErrorCode::layout, name_, "tensor ", in_quotes(name), " is declared after data was appended");
  }
  TensorInfo info{std::string(name), dtype, {shape.begin(), shape.end()}, 0, 0};
  require_declarable(info);
  info.end = *checked_bits(dtype, shape) / 8;
  entries_.emplace(std::string(name), Entry{std::move(info)});
}

inline SafetensorsWriter::Entry& SafetensorsWriter::entry(std::string_view name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    raise_io(IoErrorCode::not_found, name_, "tensor ", in_quotes(name), " was not declared");
  }
  return found->second;
}

inline std::string SafetensorsWriter::header_text(const std::vector<const TensorInfo*>& order) const {
  const auto escaped = [](const std::string& text) { return nlohmann::json(text).dump(); };
  std::string text = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata_) {
    if (text.back() != '{') text += ',';
    text += escaped(key) + ':' + escaped(value);
  }
  text += '}';
  for (const TensorInfo* info : order) {
    text += concat(",", escaped(info->name), ":{\"dtype\":\"", info->dtype, "\",\"shape\":[");
    for (std::size_t i = 0; i < info->shape.size(); ++i) text += concat(i > 0 ? "," : "", info->shape[i]);
    text += concat("],\"data_offsets\":[", info->begin, ",", info->end, "]}");
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

/// Fixes the order and the offsets of all tensors and writes the header.
inline void SafetensorsWriter::write_header() {
  std::vector<TensorInfo*> order;
  for (auto& [name, entry] : entries_) order.push_back(&entry.info);  // sorted by name
  std::stable_sort(order.begin(), order.end(),
                   [](const TensorInfo* a, const TensorInfo* b) { return a->dtype < b->dtype; });
  std::uint64_t offset = 0;
  for (TensorInfo* info : order) {
    const std::uint64_t size = info->size();
    if (size > std::uint64_t{std::numeric_limits<std::int64_t>::max()} - offset) {
      raise_io(IoErrorCode::overflow, name_, "tensors up to ", in_quotes(info->name), " take more than 2^63 - 1 bytes");
    }
    info->begin = offset;
    info->end = offset += size;
  }
  const std::string text = header_text({order.begin(), order.end()});
  if (text.size() > HeaderLimits{}.max_header_bytes) {
    raise_io(IoErrorCode::limit, name_, "header of ", text.size(), " bytes exceeds limit ",
             HeaderLimits{}.max_header_bytes);
  }
  const std::uint64_t length = text.size();
  file_.write_at(0, std::as_bytes(std::span(&length, 1)));
  file_.write_at(sizeof length, std::as_bytes(std::span(text)));
  data_begin_ = sizeof length + length;
  data_size_ = offset;
}

/// Refuses `bytes` more of a tensor than its shape has left.
inline void SafetensorsWriter::require_room(const Entry& target, std::uint64_t bytes) const {
  const TensorInfo& info = target.info;
  if (bytes <= info.size() - target.written) return;
  raise_io(IoErrorCode::mismatch, name_, "tensor ", in_quotes(info.name), " of ", info.dtype, " has shape ",
           shape_text(info.shape), ", which takes ", info.size(), " bytes, but ", target.written, " and ", bytes,
           " more were appended");
}

inline void SafetensorsWriter::append(std::string_view name, std::span<const std::byte> data) {
  Entry& target = entry(name);
  require_room(target, data.size());
  if (!has_header()) write_header();
  file_.write_at(data_begin_ + target.info.begin + target.written, data);
  target.written += data.size();
}

template <class T>
void SafetensorsWriter::append(std::string_view name, MatrixView<T> matrix) {
  require_readable("SafetensorsWriter::append", in_quotes(name), matrix);
  const Entry& target = entry(name);
  if (target.info.dtype != dtype_of<T>()) {
    raise_io(IoErrorCode::type, name_, "tensor ", in_quotes(name), " was declared as ", target.info.dtype,
             ", but its data is ", dtype_of<T>());
  }
  if (matrix.empty()) return append(name, std::span<const std::byte>());
  require_room(target, static_cast<std::uint64_t>(matrix.size()) * sizeof(T));
  std::vector<std::remove_const_t<T>> copy;
  for (Index r = 0; r < matrix.rows; ++r) {
    std::span<const T> row(matrix.row(r), static_cast<std::size_t>(matrix.cols));
    if (!matrix.rows_are_contiguous()) {
      copy.resize(row.size());
      for (std::size_t c = 0; c < copy.size(); ++c) copy[c] = matrix(r, static_cast<Index>(c));
      row = copy;
    }
    append(name, std::as_bytes(row));
  }
}

inline std::uint64_t SafetensorsWriter::finish() {
  for (const auto& [name, entry] : entries_) {
    if (entry.written == entry.info.size()) continue;
    raise_io(IoErrorCode::mismatch, name_, "tensor ", in_quotes(name), " has ", entry.written, " of its ",
             entry.info.size(), " bytes");
  }
  if (!has_header()) write_header();
  file_.commit();
  return data_begin_ + data_size_;
}

}  // namespace halfstep::inline HALFSTEP_ABI
