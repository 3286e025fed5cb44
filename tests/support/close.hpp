#pragma once

#include <cmath>

namespace halfstep_tests {

/// |value - expected| <= relative |expected| + absolute.
inline bool close(double value, double expected, double relative, double absolute = 0) {
  return std::fabs(value - expected) <= relative * std::fabs(expected) + absolute;
}

}  // namespace halfstep_tests
