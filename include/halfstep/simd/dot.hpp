#pragma once

/// \file
/// Dot products of byte vectors: exact for every value and length, unaligned, never reading past the end.
///
/// The route is that of the compiled instruction set, or of any other that the flags allow, named as template argument:
/// `dot_u8s8<isa::Generic>(a, b, n)`. All of them give the same integer. Class: exact.

#include "halfstep/simd/dot_generic.hpp"
#include "halfstep/simd/dot_neon.hpp"
#include "halfstep/simd/dot_vnni.hpp"
#include "halfstep/simd/dot_x86.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// The longest vectors whose dot product is an int32 whatever they hold: n * 255 * 128 < 2^31, n * 128 * 128 < 2^31.
inline constexpr std::size_t dot_u8s8_max = 65793;
inline constexpr std::size_t dot_s8s8_max = 131071;

/// `n` bytes as a register, zeros after them.
template <class Isa>
typename DotStep<Isa>::Bytes load_bytes_padded(const void* p, std::size_t n) {
  unsigned char buffer[DotStep<Isa>::bytes] = {};
  const auto* from = static_cast<const unsigned char*>(p);
  for (std::size_t i = 0; i < n; ++i) buffer[i] = from[i];
  return DotStep<Isa>::load_bytes(buffer);
}

/// The dot product of `a`, whose bytes `activations` takes to what is multiplied less `Offset`, and the signed `b`.
/// Four accumulators hide the latency of the step.
template <class Isa, std::int32_t Offset, class Element, class ToActivations>
std::int32_t dot_bytes(const Element* a, const std::int8_t* b, std::size_t n, ToActivations activations) {
  using Step = DotStep<Isa>;
  constexpr std::size_t bytes = Step::bytes;
  typename Step::Acc acc[4] = {Step::zero(), Step::zero(), Step::zero(), Step::zero()};
  typename Step::Acc weight_sum = Step::zero();
  const auto add = [&](typename Step::Acc& to, typename Step::Bytes x, typename Step::Bytes y) {
    const auto w = Step::weights(y);
    to = Step::step(to, activations(x), w);
    if constexpr (Offset != 0) weight_sum = Step::step(weight_sum, Step::ones(), w);
  };
  std::size_t i = 0;
  for (; i + 4 * bytes <= n; i += 4 * bytes) {
    add(acc[0], Step::load_bytes(a + i), Step::load_bytes(b + i));
    add(acc[1], Step::load_bytes(a + i + bytes), Step::load_bytes(b + i + bytes));
    add(acc[2], Step::load_bytes(a + i + 2 * bytes), Step::load_bytes(b + i + 2 * bytes));
    add(acc[3], Step::load_bytes(a + i + 3 * bytes), Step::load_bytes(b + i + 3 * bytes));
  }
  for (; i + bytes <= n; i += bytes) add(acc[0], Step::load_bytes(a + i), Step::load_bytes(b + i));
  if (i < n) add(acc[0], load_bytes_padded<Isa>(a + i, n - i), load_bytes_padded<Isa>(b + i, n - i));
  const std::int32_t sum = Step::sum(Step::add(Step::add(acc[0], acc[1]), Step::add(acc[2], acc[3])));
  // What was multiplied may wrap around an int32 although the result does not, so the correction must as well.
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) +
                                   static_cast<std::uint32_t>(Offset) *
                                       static_cast<std::uint32_t>(Step::sum(weight_sum)));
}

/// sum over i < n of a[i] * b[i], unsigned times signed bytes. Exact whenever the sum is an int32, as it is for every
/// n <= dot_u8s8_max.
template <class Isa = NativeIsa>
[[nodiscard]] std::int32_t dot_u8s8(const std::uint8_t* a, const std::int8_t* b, std::size_t n) {
  using Step = DotStep<Isa>;
  return dot_bytes<Isa, Step::unsigned_offset>(a, b, n,
                                               [](typename Step::Bytes x) { return Step::unsigned_activations(x); });
}

/// sum over i < n of a[i] * b[i], both signed bytes. Exact whenever the sum is an int32, as it is for every
/// n <= dot_s8s8_max.
template <class Isa = NativeIsa>
[[nodiscard]] std::int32_t dot_s8s8(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
  using Step = DotStep<Isa>;
  return dot_bytes<Isa, Step::signed_offset>(a, b, n,
                                             [](typename Step::Bytes x) { return Step::signed_activations(x); });
}

/// `dot_u8s8` of any length, in int64.
template <class Isa = NativeIsa>
[[nodiscard]] std::int64_t dot_u8s8_wide(const std::uint8_t* a, const std::int8_t* b, std::size_t n) {
  constexpr std::size_t part = 65536;  // a multiple of every step, below dot_u8s8_max
  std::int64_t sum = 0;
  for (; n > part; a += part, b += part, n -= part) sum += dot_u8s8<Isa>(a, b, part);
  return sum + dot_u8s8<Isa>(a, b, n);
}

/// `dot_s8s8` of any length, in int64.
template <class Isa = NativeIsa>
[[nodiscard]] std::int64_t dot_s8s8_wide(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
  constexpr std::size_t part = 65536;
  std::int64_t sum = 0;
  for (; n > part; a += part, b += part, n -= part) sum += dot_s8s8<Isa>(a, b, part);
  return sum + dot_s8s8<Isa>(a, b, n);
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
