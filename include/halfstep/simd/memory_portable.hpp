#pragma once

/// \file
/// How a portable batch comes from memory and goes there. The public functions are in simd/memory.hpp.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "halfstep/simd/batch.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

struct PortableMemory {
  template <class T>
  static Portable<T> load(const T* p) {
    Portable<T> x;
    std::memcpy(x.lane, p, sizeof x.lane);
    return x;
  }
  template <class T>
  static void store(T* p, Portable<T> x) {
    std::memcpy(p, x.lane, sizeof x.lane);
  }
  template <class Byte>
  static PortableInt widen(const Byte* p) {
    PortableInt k;
    for (std::size_t i = 0; i < PortableInt::size; ++i) k.lane[i] = p[i];
    return k;
  }
  template <class Byte>
  static void narrow(Byte* p, PortableInt k) {
    for (std::size_t i = 0; i < PortableInt::size; ++i) p[i] = static_cast<Byte>(k.lane[i]);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd
