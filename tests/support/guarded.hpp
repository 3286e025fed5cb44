#pragma once

/// \file
/// Memory whose neighbours are protected pages: an access one byte outside of it ends the program.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace halfstep_tests {

/// Where a buffer touches a protected page.
enum class Guard { before, after };

/// `count` elements, the first right after a protected page or the last right before one. For bytes any alignment
/// comes with the counts; floats are as misaligned for vectors as floats can be.
template <class T>
class Guarded {
 public:
  Guarded(std::size_t count, Guard guard) : count_(count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (count * sizeof(T) + page - 1) / page * page;
    bytes_ = used + 2 * page;
    void* const memory = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    base_ = static_cast<unsigned char*>(memory);
    if (used > 0 && mprotect(base_ + page, used, PROT_READ | PROT_WRITE) != 0) std::abort();
    data_ = reinterpret_cast<T*>(guard == Guard::before ? base_ + page : base_ + page + used - count * sizeof(T));
  }
  Guarded(std::size_t count, Guard guard, const T* values) : Guarded(count, guard) {
    if (count > 0) std::memcpy(static_cast<void*>(data_), values, count * sizeof(T));
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(base_, bytes_); }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::size_t count_;
  std::size_t bytes_ = 0;
  unsigned char* base_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace halfstep_tests
