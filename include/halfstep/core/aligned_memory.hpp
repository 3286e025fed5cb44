#pragma once

/// \file
/// Where the library's large arrays come from: memory that starts on a cache line, and on a huge page where it pays.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace halfstep::inline HALFSTEP_ABI {

/// The alignment in bytes of every buffer of the library: a cache line, and the widest vector register. It depends on
/// no compile flag, so that memory may pass between translation units built for different instruction sets.
inline constexpr std::size_t buffer_alignment = 64;

/// From this size on a buffer starts on a huge page (2 MiB) and asks for huge pages: a walk over a large weight then
/// misses the translation cache 512 times less often.
inline constexpr std::size_t huge_page_threshold = std::size_t{4} << 20;

/// The alignment of an allocation of `bytes`.
[[nodiscard]] constexpr std::size_t allocation_alignment(std::size_t bytes) noexcept {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  return bytes >= huge_page_threshold ? huge_page : buffer_alignment;
}

/// `count` elements of `element_bytes` each, in bytes. `where` names the public call in the message of the error that a
/// negative count or an impossible size raises.
[[nodiscard]] inline std::size_t checked_bytes(std::string_view where, std::int64_t count, std::size_t element_bytes) {
  if (count < 0) raise(where, "size is ", count, ", expected at least 0");
  // Half the address space: differences of pointers into it stay representable, roundings up cannot overflow.
  constexpr std::size_t limit = SIZE_MAX / 4;
  if (static_cast<std::uint64_t>(count) > limit / element_bytes) {
    raise(where, "size is ", count, " elements of ", element_bytes, " bytes, more than this machine can address");
  }
  return static_cast<std::size_t>(count) * element_bytes;
}

/// Uninitialized memory of `bytes`, at least 1, at a multiple of `buffer_alignment`; to be handed back to
/// `release_aligned` with the same size. Raises an error where there is not enough memory.
[[nodiscard]] inline void* allocate_aligned(std::string_view where, std::size_t bytes) {
  void* memory = ::operator new (bytes, std::align_val_t{allocation_alignment(bytes)}, std::nothrow);
  if (memory == nullptr) raise(where, "cannot allocate ", bytes, " bytes: out of memory");
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Advice: a kernel without huge pages refuses it, and nothing is lost.
  if (bytes >= huge_page_threshold) static_cast<void>(::madvise(memory, bytes, MADV_HUGEPAGE));
#endif
  return memory;
}

/// Gives memory of `allocate_aligned` back; null is ignored.
inline void release_aligned(void* memory, std::size_t bytes) noexcept {
  ::operator delete (memory, std::align_val_t{allocation_alignment(bytes)});
}

}  // namespace halfstep::inline HALFSTEP_ABI
