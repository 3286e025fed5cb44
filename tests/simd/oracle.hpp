#pragma once

/// \file
/// A function of floats held against an oracle in double.

#include <cmath>

#include "simd/sweep.hpp"

namespace halfstep_tests {

/// Floats of [lo, hi]: of the general sweep, and `steps` evenly spaced ones.
inline std::vector<float> floats_within(float lo, float hi, int steps = 200000) {
  std::vector<float> xs;
  for (float x : sweep_of_floats()) {
    if (x >= lo && x <= hi) xs.push_back(x);
  }
  for (int i = 0; i <= steps; ++i) {
    const double x = lo + (static_cast<double>(hi) - lo) * i / steps;
    xs.push_back(std::clamp(static_cast<float>(x), lo, hi));
  }
  return xs;
}

/// The greatest |f(x) - oracle(x)| / unit(x, oracle(x)) over `xs`, where the oracle is a finite float.
template <class F, class Oracle, class Unit>
double greatest_error(const std::vector<float>& xs, F f, Oracle oracle, Unit unit) {
  double worst = 0;
  for (float x : xs) {
    const double exact = oracle(static_cast<double>(x));
    if (!(std::abs(exact) <= static_cast<double>(std::numeric_limits<float>::max()))) continue;
    const double error = std::abs(static_cast<double>(f(x)) - exact) / unit(static_cast<double>(x), exact);
    if (!(error <= worst)) worst = error;  // a NaN counts as the worst
  }
  return worst;
}

/// The unit of a relative error, not less than the least normal float: below it only the absolute error is bounded.
inline double relative(double, double exact) { return std::max(std::abs(exact), 0x1p-126); }

/// A hash (FNV-1a) of the bits of `f` over 200000 fixed floats of [lo, hi]: a number that no compiler, instruction set
/// or flag may change.
template <class F>
std::uint32_t bit_hash(F f, float lo, float hi) {
  std::uint32_t hash = 2166136261u, state = 1;
  for (int i = 0; i < 200000; ++i) {
    state = state * 1664525u + 1013904223u;
    const float even = lo + halfstep::simd::pinned((hi - lo) * (static_cast<float>(state >> 8) * 0x1p-24f));
    const float x = i % 2 != 0 ? even : std::bit_cast<float>(state);
    if (x >= lo && x <= hi) hash = (hash ^ std::bit_cast<std::uint32_t>(f(x))) * 16777619u;
  }
  return hash;
}

}  // namespace halfstep_tests
