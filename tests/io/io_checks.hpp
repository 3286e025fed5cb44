#pragma once

/// \file
/// What the tests of files share: the kind of an error, and safetensors files made by hand.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "halfstep/io/io_error.hpp"
#include "support/catch.hpp"

namespace halfstep_tests {

/// What an IoError said.
struct RaisedIoError {
  halfstep::IoErrorCode code;
  std::string file;
  std::string message;
};

/// The IoError that `call` throws; nothing where it throws none.
template <class Call>
std::optional<RaisedIoError> raised_io_error(Call&& call) {
  try {
    call();
  } catch (const halfstep::IoError& error) {
    return RaisedIoError{error.code(), error.file(), error.what()};
  }
  return std::nullopt;
}

/// Checks that `call` throws an IoError with this code, whose message names the code and contains each of `parts`.
template <class Call>
void check_io_error(Call&& call, halfstep::IoErrorCode code, std::initializer_list<std::string_view> parts = {}) {
  const auto raised = raised_io_error(call);
  INFO("raises: " << (raised ? raised->message : "(nothing)"));
  INFO("expected: " << halfstep::to_string(code));
  REQUIRE(raised);
  CHECK(halfstep::to_string(raised->code) == halfstep::to_string(code));
  CHECK(raised->message.find(" [" + std::string(halfstep::to_string(code)) + "]") != std::string::npos);
  CHECK(raised->message.find(raised->file) != std::string::npos);
  for (const std::string_view part : parts) {
    INFO("expected part: " << part);
    CHECK(raised->message.find(part) != std::string::npos);
  }
}

/// The bytes of a string.
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The bytes of an unsigned 64-bit number, lowest first.
inline std::string little_endian(std::uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

/// A safetensors file with this header text and data, neither of which need make sense.
inline std::string raw_safetensors(std::string_view header, std::string_view data = {}) {
  return little_endian(header.size()).append(header).append(data);
}

/// The bytes that the hexadecimal digits spell.
inline std::string from_hex(std::string_view digits) {
  const auto value = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(static_cast<unsigned char>(value(digits[i]) * 16 + value(digits[i + 1])));
  }
  return bytes;
}

}  // namespace halfstep_tests
