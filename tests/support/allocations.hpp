#pragma once

/// \file
/// Counts what a test program allocates through operator new: for tests of calls that promise to allocate nothing.
/// The counting operators stand in allocations.cpp, which is part of every test program.

#include <cstddef>
#include <cstdint>

namespace halfstep_tests {

/// How often this program has called operator new, in any of its forms and on any thread.
std::int64_t allocations();

/// How often `call` allocates.
template <class Call>
std::int64_t allocations_of(Call&& call) {
  const std::int64_t before = allocations();
  call();
  return allocations() - before;
}

/// From now on operator new fails, by exception or null as its form demands, for requests of at least `bytes`;
/// SIZE_MAX, the initial limit, lets all through.
void set_allocation_limit(std::size_t bytes);

}  // namespace halfstep_tests
