#pragma once

/// \file
/// How the library says that a call is wrong.

#include "halfstep/config.hpp"

#include <atomic>
#include <charconv>
#include <concepts>
#include <cstdlib>
#include <string>
#include <string_view>

#if HALFSTEP_HAS_EXCEPTIONS
#include <stdexcept>
#else
#include <cstdio>
#endif

namespace halfstep::inline HALFSTEP_ABI {

#if HALFSTEP_HAS_EXCEPTIONS
/// Misuse of the library or unusable data. The message names the call, the argument, what was expected and what came;
/// what the call was given is left as it was.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
#endif

/// Receives the message of an error in a program built without exceptions. It must not return; if it does, the
/// program is aborted.
using ErrorHandler = void (*)(const char* message);

/// The slot of the handler, one per program and set of flags.
inline std::atomic<ErrorHandler>& error_handler_slot() noexcept {
  static std::atomic<ErrorHandler> slot{nullptr};
  return slot;
}

/// Replaces the handler that is called instead of throwing in programs built with `-fno-exceptions`, and returns the
/// previous one (null: print to stderr and abort). Without effect where exceptions are enabled.
inline ErrorHandler set_error_handler(ErrorHandler handler) noexcept { return error_handler_slot().exchange(handler); }

/// Appends `part` to `text`: strings as they are, integers in full, floating-point numbers in their shortest exact
/// form, anything else through its own `append_text(std::string&, part)`.
template <class T>
void append_part(std::string& text, const T& part) {
  if constexpr (std::convertible_to<const T&, std::string_view>) {
    text += std::string_view(part);
  } else if constexpr (std::same_as<T, char>) {
    text += part;
  } else if constexpr (std::same_as<T, bool>) {
    text += part ? "true" : "false";
  } else if constexpr (std::integral<T> || std::floating_point<T>) {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof digits, part).ptr;
    text.append(digits, end);
  } else {
    append_text(text, part);
  }
}

/// Concatenates its arguments into one string.
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  std::string text;
  (append_part(text, parts), ...);
  return text;
}

/// Throws `Error` with this message, or hands it to the error handler where exceptions are disabled.
[[noreturn]] inline void raise_message(const std::string& message) {
#if HALFSTEP_HAS_EXCEPTIONS
  throw Error(message);
#else
  if (ErrorHandler handler = error_handler_slot().load()) {
    handler(message.c_str());
  } else {
    std::fputs(message.c_str(), stderr);
    std::fputc('\n', stderr);
  }
  std::abort();
#endif
}

/// Reports misuse of the public call `where`: throws `Error("halfstep: <where>: <parts...>")`.
/// Cold and never inlined, so that a check costs its caller one predicted branch.
template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void raise(std::string_view where, const Parts&... parts) {
  raise_message(concat("halfstep: ", where, ": ", parts...));
}

}  // namespace halfstep::inline HALFSTEP_ABI
