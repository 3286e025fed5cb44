#pragma once

/// \file
/// What can be wrong with a file, as a code that a program can act on and a message that a person can.

#include "halfstep/core/error.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// The kinds of error that reading and writing files know.
enum class IoErrorCode {
  truncated,          ///< the file ends before what it announces
  limit,              ///< a size or count above a limit of the reader
  syntax,             ///< the text of a header or configuration is malformed
  duplicate,          ///< a key or tensor appears twice
  type,               ///< a field holds a value of another type than it must
  unsupported,        ///< well-formed, but a type, version or layout that is not read
  overflow,           ///< a size that does not fit into 64 bits
  range,              ///< a number outside what is possible for it
  mismatch,           ///< two statements of the file contradict each other
  layout,             ///< tensors overlap, leave holes or do not cover the file
  misaligned,         ///< a size or address that is not a multiple of what it must be
  path,               ///< a path that leaves the directory of the model
  not_found,          ///< a file, tensor or field that is missing
  magic,              ///< the file does not begin as its format must
  version,            ///< a version of the format that is not read
  byte_order,         ///< the file is big-endian
  shape,              ///< a tensor has another shape than it must
  value,              ///< a value that cannot be used, such as NaN
  not_representable,  ///< a value that the format to be written cannot hold
  io,                 ///< the operating system refused
};

/// The names of the codes as messages show them, in the order of `IoErrorCode`.
inline constexpr std::array<std::string_view, 20> io_error_code_names{
    "E_TRUNCATED",         "E_LIMIT", "E_SYNTAX",   "E_DUPLICATE",  "E_TYPE",       "E_UNSUPPORTED",
    "E_OVERFLOW",          "E_RANGE", "E_MISMATCH", "E_LAYOUT",     "E_MISALIGNED", "E_PATH",
    "E_NOT_FOUND",         "E_MAGIC", "E_VERSION",  "E_BYTE_ORDER", "E_SHAPE",      "E_VALUE",
    "E_NOT_REPRESENTABLE", "E_IO"};

/// The name of a code, such as "E_TRUNCATED".
[[nodiscard]] constexpr std::string_view to_string(IoErrorCode code) {
  return io_error_code_names[static_cast<std::size_t>(code)];
}
static_assert(to_string(IoErrorCode::io) == "E_IO" && to_string(IoErrorCode::misaligned) == "E_MISALIGNED");

#if HALFSTEP_HAS_EXCEPTIONS
/// An error of a file: what kind it is, and which file.
class IoError : public Error {
 public:
  IoError(IoErrorCode code, std::string file, const std::string& message)
      : Error(message), code_(code), file_(std::move(file)) {}

  [[nodiscard]] IoErrorCode code() const noexcept { return code_; }
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

 private:
  IoErrorCode code_;
  std::string file_;
};
#endif

/// Reports what is wrong with `file`: throws `IoError("halfstep: <file>: <parts...> [E_CODE]")`, or hands the message
/// to the error handler where exceptions are disabled.
template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void raise_io(IoErrorCode code, std::string_view file, const Parts&... parts) {
  const std::string message = concat("halfstep: ", file, ": ", parts..., " [", to_string(code), "]");
#if HALFSTEP_HAS_EXCEPTIONS
  throw IoError(code, std::string(file), message);
#else
  raise_message(message);
#endif
}

/// What the operating system says about a value of errno.
[[nodiscard]] inline std::string system_message(int error_number) {
  return std::generic_category().message(error_number);
}

/// `text` in double quotes for a message: quotes, backslashes and control bytes are escaped, bytes that are not ASCII
/// are shown as they are, and what exceeds 120 bytes is left out with its length. A name from a hostile file therefore
/// neither reaches a terminal raw nor fills it.
[[nodiscard]] inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 120;
  constexpr std::string_view hex = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (result += '\\') += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      ((result += "\\x") += hex[byte >> 4]) += hex[byte & 15u];
    } else {
      result += c;
    }
  }
  result += '"';
  if (text.size() > longest) result += concat("... (", text.size(), " bytes)");
  return result;
}

}  // namespace halfstep::inline HALFSTEP_ABI
