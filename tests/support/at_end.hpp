#pragma once

#include <functional>
#include <vector>

namespace halfstep_tests {

/// What a program checks once all its test cases have run, in whatever order they did. A check that throws fails the
/// program.
inline std::vector<std::function<void()>>& checks_at_end() {
  static std::vector<std::function<void()>> checks;
  return checks;
}

}  // namespace halfstep_tests
