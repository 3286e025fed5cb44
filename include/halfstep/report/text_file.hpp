#pragma once

/// \file
/// A text written to a file in one piece, or not at all.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace halfstep::inline HALFSTEP_ABI::report {

/// A new file beside `path`, open for writing, and its name; null and the cause where there can be none.
struct PartialFile {
  std::FILE* stream = nullptr;
  std::filesystem::path path;
  int error = 0;
};

/// Creates a file that did not exist before: the "x" mode refuses one that another process, or a run that was killed,
/// left behind; then the next number is tried.
[[nodiscard]] inline PartialFile create_partial(const std::filesystem::path& path) {
  PartialFile file;
  for (int attempt = 0; attempt < 100; ++attempt) {
    file.path = path;
    file.path += concat(".partial", attempt);
    errno = 0;
    file.stream = std::fopen(file.path.string().c_str(), "wbx");
    file.error = errno;
    if (file.stream != nullptr || file.error != EEXIST) break;
  }
  return file;
}

/// Writes `content` to `path`, replacing what was there. A reader sees the old file or the new one, never a part: the
/// text goes to a file beside it first, which then takes its name. Error: the path cannot be written; the message has
/// the path and the system's reason, and nothing is left behind.
inline void write_text_file(const std::filesystem::path& path, std::string_view content) {
  const auto fail = [&](const std::string& reason) {
    raise("report::write_text_file", "cannot write \"", path.string(), "\": ", reason);
  };
  std::error_code code;
  if (path.empty()) fail("path is empty");
  if (std::filesystem::is_directory(path, code)) fail("it is a folder");
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder, code)) fail("there is no folder \"" + folder.string() + "\"");
  const PartialFile file = create_partial(path);
  if (file.stream == nullptr) fail(std::generic_category().message(file.error));
  errno = 0;
  const bool written = std::fwrite(content.data(), 1, content.size(), file.stream) == content.size();
  const bool flushed = std::fflush(file.stream) == 0;
  const int error = errno;
  const bool closed = std::fclose(file.stream) == 0;
  if (written && flushed && closed) {
    std::filesystem::rename(file.path, path, code);
    if (!code) return;
  } else {
    code = std::error_code(error, std::generic_category());
  }
  std::error_code ignored;
  std::filesystem::remove(file.path, ignored);
  fail(code.message());
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
