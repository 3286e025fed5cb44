#pragma once

/// \file
/// Floats to sweep a lane-wise function over, and the comparison of its three forms: float, native batch, portable
/// batch.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "halfstep/core/float16.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"
#include "support/catch.hpp"

namespace halfstep_tests {

inline constexpr std::uint32_t sweep_seed = 20240607;

/// All 65536 bfloat16 and all 65536 F16 patterns.
inline std::vector<float> floats_of_16_bits() {
  std::vector<float> xs;
  for (std::uint32_t b = 0; b < 65536; ++b) {
    xs.push_back(halfstep::to_float(halfstep::BFloat16{static_cast<std::uint16_t>(b)}));
    xs.push_back(halfstep::to_float(halfstep::Half{static_cast<std::uint16_t>(b)}));
  }
  return xs;
}

/// All floats of 16 bits, `random` random bit patterns, and numbers near what rounding turns on.
inline std::vector<float> sweep_of_floats(int random = 100000) {
  std::vector<float> xs = floats_of_16_bits();
  std::mt19937 generator(sweep_seed);
  for (int i = 0; i < random; ++i) xs.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(generator())));
  for (int half = -1100; half <= 1100; ++half) {
    const float tie = static_cast<float>(half) * 0.5f;
    xs.insert(xs.end(), {tie, std::nextafter(tie, -1e9f), std::nextafter(tie, 1e9f)});
  }
  for (float edge : {4194304.0f, 8388608.0f, 16777216.0f, 2147483648.0f}) {
    for (int step = -5; step <= 5; ++step) {
      const float x = std::bit_cast<float>(std::bit_cast<std::int32_t>(edge) + step);
      xs.insert(xs.end(), {x, -x});
    }
  }
  return xs;
}

/// The same bits, or both NaN.
inline bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (a != a && b != b);
}
inline bool same(std::int32_t a, std::int32_t b) { return a == b; }
inline bool same(bool a, bool b) { return a == b; }

/// The lanes of a batch or mask, one by one.
template <class T>
auto lanes(T x) {
  if constexpr (std::is_same_v<T, bool> || std::is_arithmetic_v<T>) {
    return std::vector<T>{x};
  } else if constexpr (requires { x.lane; }) {
    return std::vector<std::remove_cvref_t<decltype(x.lane[0])>>(std::begin(x.lane), std::end(x.lane));
  } else {
    using Value = std::remove_cvref_t<decltype(x.get(0))>;
    std::vector<Value> values;
    for (std::size_t i = 0; i < T::size; ++i) values.push_back(x.get(i));
    return values;
  }
}

/// How many elements of `xs` make `f` of a batch `B` differ from `f` of the scalar; the first of them is captured.
template <class B, class F, class E>
int differences(F f, const std::vector<E>& xs) {
  int wrong = 0;
  constexpr std::size_t n = halfstep::simd::lanes_of<B>;
  for (std::size_t i = 0; i < xs.size(); i += n) {
    const std::size_t count = std::min(n, xs.size() - i);
    const auto batch = lanes(f(halfstep::simd::load_tail<B>(xs.data() + i, count)));
    for (std::size_t j = 0; j < count; ++j) {
      const auto scalar = static_cast<typename decltype(batch)::value_type>(f(xs[i + j]));
      if (!same(batch[j], scalar) && wrong++ == 0) {
        UNSCOPED_INFO("first difference at x = " << xs[i + j] << ": batch " << batch[j] << ", scalar " << scalar);
      }
    }
  }
  return wrong;
}

/// Checks that `f`, a generic lambda, gives the same bits for a float, a FloatBatch and a PortableFloat.
template <class F>
void check_same_on_floats(F f, const std::vector<float>& xs) {
  CHECK(differences<halfstep::simd::FloatBatch>(f, xs) == 0);
  CHECK(differences<halfstep::simd::PortableFloat>(f, xs) == 0);
}

/// The same for functions of an int32.
template <class F>
void check_same_on_ints(F f, const std::vector<std::int32_t>& ks) {
  CHECK(differences<halfstep::simd::IntBatch>(f, ks) == 0);
  CHECK(differences<halfstep::simd::PortableInt>(f, ks) == 0);
}

}  // namespace halfstep_tests
