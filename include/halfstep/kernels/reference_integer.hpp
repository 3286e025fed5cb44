#pragma once

/// \file
/// The integer operators that kernels are checked with: the formulas of their headers, one row at a time, in 64-bit
/// integers, with nothing shared with what they check. Slow, and for tests and inspection.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// ShiftExp of x for x0 below 0 and n halvings, no more than 2^31 - 1 (which is all that sums make use of) where x is
/// above 0.
[[nodiscard]] inline std::int64_t reference_shift_exp(std::int64_t x, std::int64_t x0, int n) {
  const std::int64_t p = std::max(x + (x >> 1) - (x >> 4), n * x0);
  std::int64_t q = p / x0;
  if (q * x0 < p) --q;  // x0 is below 0: floor(p / x0)
  const std::int64_t v = p - q * x0 - 2 * x0;
  const std::int64_t left = n - q;
  if (left > 32) return 2147483647;  // v is at least 1
  return (v << left) >> 1;
}

[[nodiscard]] inline std::int64_t reference_floor(float x) { return static_cast<std::int64_t>(std::floor(x)); }

/// Shiftmax of one row in steps of `scale`.
[[nodiscard]] inline std::vector<std::int64_t> reference_shiftmax(std::span<const std::int64_t> x, float scale,
                                                                  int bits) {
  if (x.empty()) return {};
  const std::int64_t x0 = reference_floor(-1.0f / scale), largest = *std::max_element(x.begin(), x.end());
  std::vector<std::int64_t> out;
  std::int64_t sum = 0;
  for (const std::int64_t value : x) sum += out.emplace_back(reference_shift_exp(value - largest, x0, 15));
  const std::int64_t factor = 2147483647 / std::min<std::int64_t>(sum, 2147483647);
  for (std::int64_t& e : out) e = (e * factor) >> (32 - bits);
  return out;
}

/// Log-int-softmax of one row in steps of `scale`, codes from 0 to `last_code`.
[[nodiscard]] inline std::vector<std::int64_t> reference_log_int_softmax(std::span<const std::int64_t> x, float scale,
                                                                         std::int64_t last_code) {
  if (x.empty()) return {};
  const std::int64_t x0 = reference_floor(-0.6931f / scale), largest = *std::max_element(x.begin(), x.end());
  const std::int64_t b = reference_floor(static_cast<float>(0.96963238 / 0.35815147) / scale);
  const std::int64_t c = reference_floor(static_cast<float>(1 / 0.35815147) / (scale * scale));
  std::vector<std::int64_t> out;
  std::int64_t sum = 0;
  for (const std::int64_t value : x) {
    const std::int64_t p = std::max(value - largest, 30 * x0), q = p / x0, r = p - q * x0;
    sum += out.emplace_back(std::max<std::int64_t>(r * (r + b) + c, 0) << (30 - q));
  }
  for (std::int64_t& e : out) {
    std::int64_t code = last_code;
    if (e > 0) {
      std::int64_t ratio = sum / e;
      const std::int64_t rest = sum - ratio * e;
      if (rest > e - rest || (rest == e - rest && ratio % 2 != 0)) ++ratio;
      code = 0;
      while (ratio >> code > 1) ++code;
      if (2 * (ratio - (std::int64_t{1} << code)) >= std::int64_t{1} << code) ++code;
    }
    e = std::min(code, last_code);
  }
  return out;
}

/// The sigmoid of ShiftGELU of one row in steps of `scale`; the output is x times it.
[[nodiscard]] inline std::vector<std::int64_t> reference_shift_sigmoid(std::span<const std::int64_t> x, float scale,
                                                                       int bits) {
  if (x.empty()) return {};
  const std::int64_t x0 = reference_floor(-1.0f / (scale * 1.702f)), largest = *std::max_element(x.begin(), x.end());
  const std::int64_t at_zero = reference_shift_exp(-largest, x0, 23);
  std::vector<std::int64_t> out;
  for (const std::int64_t value : x) {
    const std::int64_t e = reference_shift_exp(value - largest, x0, 23);
    out.push_back((e * (2147483647 / std::min<std::int64_t>(e + at_zero, 2147483647))) >> (32 - bits));
  }
  return out;
}

/// I-LayerNorm of one row, without its bias.
[[nodiscard]] inline std::vector<std::int64_t> reference_integer_layer_norm(std::span<const std::int64_t> x) {
  if (x.empty()) return {};
  const auto n = static_cast<std::int64_t>(x.size());
  std::int64_t sum = 0, squares = 0, root = 65536;
  for (const std::int64_t value : x) sum += value;
  std::int64_t mean = sum / n;  // towards 0; the rest has the sign of the sum
  const std::int64_t rest = std::abs(sum - mean * n);
  if (2 * rest > n || (2 * rest == n && mean % 2 != 0)) mean += sum < 0 ? -1 : 1;
  for (const std::int64_t value : x) squares += (value - mean) * (value - mean);
  for (int step = 0; step < 10; ++step) root = (root + squares / root) / 2;
  std::vector<std::int64_t> out;
  for (const std::int64_t value : x) out.push_back(((value - mean) * (2147483647 / root)) >> 1);
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
