#pragma once

/// \file
/// A quantizer held against codes and values of a golden file.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace halfstep_tests {

/// Largest allowed difference of two real numbers.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// How many of `found(i)` differ from `expected` by more than the tolerance; the first is shown if a check fails.
template <class Expected, class Found>
int mismatches(const std::vector<Expected>& expected, Found found, Tolerance tolerance = {}) {
  int wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto e = static_cast<double>(expected[i]), f = static_cast<double>(found(i));
    if (std::fabs(f - e) <= tolerance.relative * std::fabs(e) + tolerance.absolute) continue;
    if (wrong++ == 0) UNSCOPED_INFO("first at element " << i << ": " << f << ", expected " << e);
  }
  return wrong;
}

/// Checks that `q` encodes `x` to `codes`, each of them.
template <class Q, class Code>
void check_codes(const Q& q, const std::vector<float>& x, const std::vector<Code>& codes) {
  REQUIRE(x.size() == codes.size());
  CHECK(mismatches(codes, [&](std::size_t i) { return q.encode(x[i]); }) == 0);
}

/// Checks that `q` decodes what it encodes `x` to as `values`.
template <class Q>
void check_values(const Q& q, const std::vector<float>& x, const std::vector<float>& values, Tolerance tolerance) {
  REQUIRE(x.size() == values.size());
  CHECK(mismatches(
            values, [&](std::size_t i) { return q.decode(q.encode(x[i])); }, tolerance) == 0);
}

}  // namespace halfstep_tests
