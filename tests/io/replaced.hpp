#pragma once

#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace halfstep_tests {

/// `text` with the first `from` replaced by `to`, which is as long.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  REQUIRE(from.size() == to.size());
  return text.replace(at, from.size(), to);
}

}  // namespace halfstep_tests
