// The operators new and delete of a test program: those of the standard library, and they count. (Not with clang's
// -fsanitize=thread, whose runtime insists on operators of its own: use g++ for that.)

#include "support/allocations.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> count{0};
std::atomic<std::size_t> limit{SIZE_MAX};
std::atomic<std::int64_t> held{0}, peak{0};

void* allocated(std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes == 0) bytes = 1;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(bytes);
  void* memory = nullptr;  // posix_memalign takes any size; aligned_alloc of some libraries wants a multiple
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

// What the C library says that it gave, which may be a little more than was asked for: delete is not always told.
std::int64_t size_of(void* memory) noexcept { return static_cast<std::int64_t>(malloc_usable_size(memory)); }

void* counted(std::size_t bytes, std::size_t alignment) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  if (bytes >= limit.load(std::memory_order_relaxed)) return nullptr;
  void* const memory = allocated(bytes, alignment);
  if (memory == nullptr) return nullptr;
  const std::int64_t size = size_of(memory), now = held.fetch_add(size, std::memory_order_relaxed) + size;
  std::int64_t most = peak.load(std::memory_order_relaxed);
  while (most < now && !peak.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
  return memory;
}

void released(void* memory) noexcept {
  if (memory != nullptr) held.fetch_sub(size_of(memory), std::memory_order_relaxed);
  std::free(memory);
}

void* counted_or_throw(std::size_t bytes, std::size_t alignment) {
  void* memory = counted(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

namespace halfstep_tests {

std::int64_t allocations() { return count.load(std::memory_order_relaxed); }
std::int64_t held_bytes() { return held.load(std::memory_order_relaxed); }
std::int64_t peak_bytes() { return peak.load(std::memory_order_relaxed); }
void restart_peak() { peak.store(held.load(std::memory_order_relaxed), std::memory_order_relaxed); }
void set_allocation_limit(std::size_t bytes) { limit.store(bytes, std::memory_order_relaxed); }

}  // namespace halfstep_tests

// The array forms, the sized forms and the nothrow forms of delete call these by default; the nothrow forms of new
// would do so through an exception, so those are replaced as well.
void* operator new(std::size_t bytes) { return counted_or_throw(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return counted(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { released(memory); }
void operator delete(void* memory, std::size_t) noexcept { released(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { released(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { released(memory); }
