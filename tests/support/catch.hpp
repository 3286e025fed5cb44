#pragma once

/// \file
/// Catch2 for every test of the library: the single header of version 2 or the installed version 3, with the few names
/// that differ made the same, and `CHECK_RAISES` for the library's own errors.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <optional>
#include <string>

#include "halfstep/core/error.hpp"

namespace halfstep_tests {

/// The message of the halfstep::Error that `call` throws; nothing where it throws none. Other exceptions pass through.
template <class Call>
std::optional<std::string> error_message(Call&& call) {
  try {
    call();
  } catch (const halfstep::Error& error) {
    return std::string(error.what());
  }
  return std::nullopt;
}

}  // namespace halfstep_tests

/// Checks that `expression` throws halfstep::Error and that its message contains `substring`; shows the message
/// otherwise. An expression with a comma outside parentheses needs parentheses of its own.
#define CHECK_RAISES(expression, substring)                                                                         \
  do {                                                                                                              \
    const auto halfstep_tests_message = ::halfstep_tests::error_message([&] { static_cast<void>(expression); });    \
    INFO("raises:   " << halfstep_tests_message.value_or("(no halfstep::Error)") << "\nexpected: " << (substring)); \
    CHECK((halfstep_tests_message && halfstep_tests_message->find(substring) != std::string::npos));                \
  } while (false)
