#pragma once

/// \file
/// Loads and stores of scalars and batches: full, partial, and with bytes on the other side. Every pointer may be
/// unaligned. A partial access touches `n` elements and not a byte more, so the last elements of an exact buffer need
/// no scalar loop of their own:
///
///     for (; i + batch_lanes <= n; i += batch_lanes) store(out + i, f(load<FloatBatch>(in + i)));
///     if (i < n) store_tail(out + i, f(load_tail<FloatBatch>(in + i, n - i)), n - i);

#include "halfstep/simd/memory_native.hpp"
#include "halfstep/simd/memory_portable.hpp"

#include <cstdint>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI::simd {

/// `lanes_of<T>` elements from `p` on. T is FloatBatch, IntBatch, or a scalar.
template <AnyLanes T, class Element>
[[nodiscard]] T load(const Element* p) {
  if constexpr (std::same_as<T, Element>) {
    return *p;
#if !defined(HALFSTEP_SIMD_GENERIC)
  } else if constexpr (std::same_as<FloatOf<T>, FloatBatch>) {
    return NativeMemory::load(p);
#endif
  } else {
    return PortableMemory::load(p);
  }
}

/// Writes the lanes of `x` from `p` on.
template <AnyLanes T, class Element>
void store(Element* p, T x) {
  if constexpr (std::same_as<T, Element>) {
    *p = x;
#if !defined(HALFSTEP_SIMD_GENERIC)
  } else if constexpr (std::same_as<FloatOf<T>, FloatBatch>) {
    NativeMemory::store(p, x);
#endif
  } else {
    PortableMemory::store(p, x);
  }
}

/// The bytes from `p` on, aligned or not, four to a lane, the first lowest.
[[nodiscard]] inline IntBatch load_words(const std::uint8_t* p) {
#if !defined(HALFSTEP_SIMD_GENERIC)
  return NativeMemory::load(reinterpret_cast<const std::int32_t*>(p));  // which reads a register, not int32s
#else
  std::int32_t words[batch_lanes];
  std::memcpy(words, p, sizeof words);
  return simd::load<IntBatch>(words);
#endif
}

/// Writes the lanes of `x` from `p` on, four bytes of each, the lowest first.
inline void store_words(std::uint8_t* p, IntBatch x) {
#if !defined(HALFSTEP_SIMD_GENERIC)
  NativeMemory::store(reinterpret_cast<std::int32_t*>(p), x);
#else
  std::int32_t words[batch_lanes];
  simd::store(words, x);
  std::memcpy(p, words, sizeof words);
#endif
}

/// `n` <= lanes elements from `p` on; the other lanes are zero.
template <AnyLanes T, class Element>
[[nodiscard]] T load_tail(const Element* p, std::size_t n) {
#if !defined(HALFSTEP_SIMD_GENERIC)
  if constexpr (std::same_as<FloatOf<T>, FloatBatch>) {
    return NativeMemory::load_tail(p, n);
  } else
#endif
  {
    Element buffer[lanes_of<T>] = {};
    for (std::size_t i = 0; i < n; ++i) buffer[i] = p[i];
    return simd::load<T>(buffer);
  }
}

/// Writes the first `n` <= lanes lanes of `x` from `p` on.
template <AnyLanes T, class Element>
void store_tail(Element* p, T x, std::size_t n) {
#if !defined(HALFSTEP_SIMD_GENERIC)
  if constexpr (std::same_as<FloatOf<T>, FloatBatch>) {
    NativeMemory::store_tail(p, x, n);
  } else
#endif
  {
    Element buffer[lanes_of<T>];
    simd::store(buffer, x);
    for (std::size_t i = 0; i < n; ++i) p[i] = buffer[i];
  }
}

/// A byte element: std::uint8_t or std::int8_t.
template <class T>
concept Byte = std::same_as<T, std::uint8_t> || std::same_as<T, std::int8_t>;

/// `lanes_of<T>` bytes from `p` on, each as an int32 of the same value.
template <IntLanes T, Byte B>
[[nodiscard]] T load_bytes(const B* p) {
  if constexpr (std::same_as<T, std::int32_t>) {
    return *p;
#if !defined(HALFSTEP_SIMD_GENERIC)
  } else if constexpr (std::same_as<T, IntBatch>) {
    return NativeMemory::widen(p);
#endif
  } else {
    return PortableMemory::widen(p);
  }
}

/// `n` <= lanes bytes from `p` on, each as an int32; the other lanes are zero.
template <IntLanes T, Byte B>
[[nodiscard]] T load_bytes_tail(const B* p, std::size_t n) {
  B buffer[lanes_of<T>] = {};
  for (std::size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return simd::load_bytes<T>(buffer);
}

/// Writes each lane as one byte from `p` on. Each must be a value of B, [0, 255] or [-128, 127].
template <IntLanes T, Byte B>
void store_bytes(B* p, T k) {
  if constexpr (std::same_as<T, std::int32_t>) {
    *p = static_cast<B>(k);
#if !defined(HALFSTEP_SIMD_GENERIC)
  } else if constexpr (std::same_as<T, IntBatch>) {
    NativeMemory::narrow(p, k);
#endif
  } else {
    PortableMemory::narrow(p, k);
  }
}

/// Writes the first `n` <= lanes lanes as bytes.
template <IntLanes T, Byte B>
void store_bytes_tail(B* p, T k, std::size_t n) {
  B buffer[lanes_of<T>];
  simd::store_bytes(buffer, k);
  for (std::size_t i = 0; i < n; ++i) p[i] = buffer[i];
}

/// Writes four batches as 4 * lanes bytes, with one store where the registers are narrow. Each lane is in [0, 255].
template <IntLanes T>
void store_bytes(std::uint8_t* p, T a, T b, T c, T d) {
#if !defined(HALFSTEP_SIMD_GENERIC)
  if constexpr (std::same_as<T, IntBatch>) {
    NativeMemory::narrow(p, a, b, c, d);
  } else
#endif
  {
    simd::store_bytes(p, a);
    simd::store_bytes(p + lanes_of<T>, b);
    simd::store_bytes(p + 2 * lanes_of<T>, c);
    simd::store_bytes(p + 3 * lanes_of<T>, d);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
