#pragma once

/// \file
/// What a stream leads to: a terminal or a file, how wide, with which characters. The one place of the report floor
/// that asks the operating system.

#include "halfstep/config.hpp"

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#if defined(_WIN32)
#include <io.h>
#elif __has_include(<unistd.h>) && __has_include(<sys/ioctl.h>)
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::report {

/// An environment variable, empty where it is not set.
[[nodiscard]] inline std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// Whether `stream` is a terminal that can move its cursor (not one of TERM "dumb").
[[nodiscard]] inline bool is_terminal(std::FILE* stream) {
  if (environment("TERM") == "dumb") return false;
#if defined(_WIN32)
  return _isatty(_fileno(stream)) != 0;
#elif defined(_POSIX_VERSION)
  return isatty(fileno(stream)) != 0;
#else
  return stream == nullptr;
#endif
}

/// The columns of the terminal behind `stream`; 80 where that is unknown.
[[nodiscard]] inline std::int64_t terminal_columns(std::FILE* stream) {
#if defined(TIOCGWINSZ)
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
#endif
  return stream == nullptr ? 0 : 80;
}

/// Whether the environment's locale is UTF-8 (LC_ALL, LC_CTYPE, LANG, the first that is set decides).
[[nodiscard]] inline bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    std::string letters;
    for (const char c : value) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
        letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
    }
    return letters.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
