#pragma once

/// \file
/// Every instruction set that the flags of the test program allow, as a list for TEMPLATE_LIST_TEST_CASE, and byte
/// buffers of exact size.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>

#include "halfstep/simd/isa.hpp"
#include "support/catch.hpp"

namespace halfstep_tests {

template <class List>
struct TupleOf;
template <class... Isas>
struct TupleOf<halfstep::simd::IsaList<Isas...>> {
  using type = std::tuple<Isas...>;
};

/// The enabled tags; on x86-64 at least sse2 and generic.
using Routes = typename TupleOf<halfstep::simd::EnabledIsas>::type;

/// A heap buffer of exactly `n` elements behind `offset` bytes: a sanitizer sees each access beyond it.
template <class E>
struct Exact {
  explicit Exact(std::size_t n, std::size_t offset = 0)
      : bytes(allocate(n * sizeof(E) + offset)), data(reinterpret_cast<E*>(bytes.get() + offset)) {}
  std::unique_ptr<unsigned char[]> bytes;
  E* data;

 private:
  /// Not inlined: g++ 12 would see an empty buffer in a loop over sizes and warn of the writes that never happen.
  [[gnu::noinline]] static unsigned char* allocate(std::size_t n) { return new unsigned char[n]; }
};

}  // namespace halfstep_tests
