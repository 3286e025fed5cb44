#pragma once

/// \file
/// The step of a byte product in plain C++.

#include "halfstep/simd/dot_step.hpp"

#include <cstring>

namespace halfstep::inline HALFSTEP_ABI::simd {

/// Four int32 accumulators.
struct GenericAccumulators {
  static constexpr std::size_t columns = 4;
  struct Acc {
    std::uint32_t lane[columns];  // unsigned, because an accumulator may wrap around
  };

  static Acc zero() { return Acc{}; }
  static Acc load(const std::int32_t* p) {
    Acc acc;
    std::memcpy(acc.lane, p, sizeof acc.lane);
    return acc;
  }
  static void store(std::int32_t* p, Acc acc) { std::memcpy(p, acc.lane, sizeof acc.lane); }
  static Acc add(Acc a, Acc b) {
    for (std::size_t c = 0; c < columns; ++c) a.lane[c] += b.lane[c];
    return a;
  }
  static std::int32_t sum(Acc acc) {
    std::uint32_t total = 0;
    for (std::uint32_t lane : acc.lane) total += lane;
    return static_cast<std::int32_t>(total);
  }
};

template <>
struct DotStep<isa::Generic> : GenericAccumulators {
  static constexpr std::size_t bytes = 4 * columns;
  static constexpr std::int32_t unsigned_offset = 0;
  static constexpr std::int32_t signed_offset = 0;
  struct Bytes {
    std::uint8_t lane[bytes];
  };
  struct Weights {
    std::int16_t lane[bytes];
  };
  using Activations = Weights;

  static Bytes load_bytes(const void* p) {
    Bytes b;
    std::memcpy(b.lane, p, bytes);
    return b;
  }
  static Weights weights(Bytes b) {
    Weights w;
    for (std::size_t i = 0; i < bytes; ++i) w.lane[i] = static_cast<std::int8_t>(b.lane[i]);
    return w;
  }
  static Activations signed_activations(Bytes b) { return weights(b); }
  static Activations unsigned_activations(Bytes b) {
    Activations a;
    for (std::size_t i = 0; i < bytes; ++i) a.lane[i] = b.lane[i];
    return a;
  }
  static Activations broadcast(const std::uint8_t* p) {
    Activations a;
    for (std::size_t i = 0; i < bytes; ++i) a.lane[i] = p[i % 4];
    return a;
  }
  static Activations ones() {
    Activations a;
    for (std::int16_t& lane : a.lane) lane = 1;
    return a;
  }
  static Acc step(Acc acc, const Activations& a, const Weights& w) {
    for (std::size_t i = 0; i < bytes; ++i) acc.lane[i / 4] += static_cast<std::uint32_t>(a.lane[i] * w.lane[i]);
    return acc;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
