#pragma once

/// \file
/// Counts what a test program allocates through operator new: for tests of calls that promise to allocate nothing, or
/// no more than so many bytes. The counting operators stand in allocations.cpp, which is part of every test program.

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

/// Bytes that this program holds of operator new, those that it held at most since `restart_peak`, and the start of
/// that.
std::int64_t held_bytes();
std::int64_t peak_bytes();
void restart_peak();

/// How many bytes more than before `call` the program holds at most while it runs, what it returns included.
template <class Call>
std::int64_t peak_bytes_of(Call&& call) {
  const std::int64_t before = held_bytes();
  restart_peak();
  call();
  return peak_bytes() - before;
}

/// From now on operator new fails, by exception or null as its form demands, for requests of at least `bytes`;
/// SIZE_MAX, the initial limit, lets all through.
void set_allocation_limit(std::size_t bytes);

}  // namespace halfstep_tests
