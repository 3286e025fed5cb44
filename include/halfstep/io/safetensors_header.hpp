#pragma once

/// \file
/// The header of a safetensors file, checked: what tensors there are, and where.
///
/// A file is a header length (8 bytes), a JSON object of that length, and the data of all tensors without holes. The
/// rules follow the format's published text and its reference reader; where they differ, `HeaderRules` chooses.

#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/safetensors_layout.hpp"
#include "halfstep/io/safetensors_sax.hpp"
#include "halfstep/io/tensor_info.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// Refuses what is certainly no safetensors file although its first bytes could be read as a length.
inline void reject_lfs_pointer(std::string_view file_text, std::string_view file) {
  if (!file_text.starts_with("version https://git-lfs")) return;
  raise_io(IoErrorCode::syntax, file,
           "this is a Git LFS pointer, not the model: fetch the file itself (git lfs pull). First bytes: ",
           in_quotes(file_text.substr(0, 40)));
}

/// The header's length, checked against the limit and the size of the file.
[[nodiscard]] inline std::size_t read_header_length(std::span<const std::byte> bytes, std::string_view file,
                                                    const HeaderLimits& limits) {
  constexpr std::size_t prefix = 8;
  if (bytes.size() < prefix) {
    raise_io(IoErrorCode::truncated, file, "file has ", bytes.size(), " bytes, header length needs 8");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), prefix);
  if (length > limits.max_header_bytes) {
    raise_io(IoErrorCode::limit, file, "header length ", length, " exceeds limit ", limits.max_header_bytes);
  }
  if (length > bytes.size() - prefix) {
    raise_io(IoErrorCode::truncated, file, "header length ", length, " exceeds the ", bytes.size() - prefix,
             " bytes that follow it");
  }
  return static_cast<std::size_t>(length);
}

/// Refuses a header that does not begin with an object.
inline void require_object(std::string_view text, std::string_view file, HeaderRules rules) {
  std::size_t first = 0;
  if (rules == HeaderRules::reference) first = text.find_first_not_of(" \t\r\n");
  if (first >= text.size()) raise_io(IoErrorCode::syntax, file, "header is empty, expected a JSON object at byte 8");
  if (text[first] == '{') return;
  raise_io(IoErrorCode::syntax, file, "header begins with ", in_quotes(text.substr(first, 1)), " at byte ", 8 + first,
           ", expected {");
}

/// Reads and checks the header of the safetensors file whose bytes are given; `file` is its name in messages.
///
/// Errors: E_TRUNCATED, E_LIMIT, E_SYNTAX, E_DUPLICATE, E_TYPE, E_NOT_FOUND (a missing field), E_UNSUPPORTED (an
/// unknown dtype), E_RANGE, E_OVERFLOW, E_MISALIGNED, E_MISMATCH, E_LAYOUT; each message names the byte or the tensor
/// and what was found. The data itself is neither read nor checked.
/// Cost: three passes over the header; memory in proportion to it, checked against `limits` first. Class: exact.
[[nodiscard]] inline SafetensorsHeader parse_safetensors_header(std::span<const std::byte> bytes, std::string_view file,
                                                                const HeaderOptions& options = {}) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  reject_lfs_pointer(all, file);
  const std::size_t length = read_header_length(bytes, file, options.limits);
  const std::string_view text = all.substr(8, length);
  require_object(text, file, options.rules);
  require_json_bounds(text, {options.limits.max_nesting, options.limits.max_string_bytes}, file, 8);

  SafetensorsHeader header;
  header.data_begin = 8 + length;
  const std::uint64_t data_size = bytes.size() - header.data_begin;
  SafetensorsSax handler(header, data_size, file, options);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &handler)) {
    raise_io(IoErrorCode::syntax, file, "header is malformed JSON");  // the handler has said so before, with the place
  }
  header.by_name = index_by_name(header.tensors, file);
  require_full_cover(header.tensors, data_size, file);
  return header;
}

}  // namespace halfstep::inline HALFSTEP_ABI
