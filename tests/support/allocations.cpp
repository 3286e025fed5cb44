// The operators new and delete of a test program: those of the standard library, and they count. (Not with clang's
// -fsanitize=thread, whose runtime insists on operators of its own: use g++ for that.)

#include "support/allocations.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> count{0};
std::atomic<std::size_t> limit{SIZE_MAX};

void* counted(std::size_t bytes, std::size_t alignment) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  if (bytes >= limit.load(std::memory_order_relaxed)) return nullptr;
  if (bytes == 0) bytes = 1;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(bytes);
  void* memory = nullptr;  // posix_memalign takes any size; aligned_alloc of some libraries wants a multiple
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

void* counted_or_throw(std::size_t bytes, std::size_t alignment) {
  void* memory = counted(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

namespace halfstep_tests {

std::int64_t allocations() { return count.load(std::memory_order_relaxed); }
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
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
