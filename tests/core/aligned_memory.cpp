#include "halfstep/core/aligned_memory.hpp"

#include <cstdint>
#include <cstring>
#include <limits>

#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("allocate_aligned starts on a cache line, large memory on a huge page", "[core][aligned_memory]") {
  const std::size_t bytes = GENERATE(std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{4097},
                                     hs::huge_page_threshold - 1, hs::huge_page_threshold, hs::huge_page_threshold + 1);
  CAPTURE(bytes);
  void* const memory = hs::allocate_aligned("test", bytes);
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  CHECK(address % 64 == 0);
  if (bytes >= hs::huge_page_threshold) CHECK(address % (2u << 20) == 0);
  std::memset(memory, 0xA5, bytes);  // the sanitizers see whether all of it is ours
  CHECK(static_cast<const unsigned char*>(memory)[bytes - 1] == 0xA5);
  hs::release_aligned(memory, bytes);
}

TEST_CASE("release_aligned ignores null", "[core][aligned_memory]") {
  const std::int64_t before = halfstep_tests::allocations();
  hs::release_aligned(nullptr, 0);
  hs::release_aligned(nullptr, hs::huge_page_threshold);
  CHECK(halfstep_tests::allocations() == before);
}

TEST_CASE("allocate_aligned says how much memory was missing", "[core][aligned_memory]") {
  halfstep_tests::set_allocation_limit(1 << 20);
  const auto message = halfstep_tests::error_message([] { static_cast<void>(hs::allocate_aligned("pack", 1 << 20)); });
  halfstep_tests::set_allocation_limit(SIZE_MAX);
  CHECK(message == "halfstep: pack: cannot allocate 1048576 bytes: out of memory");
}

TEST_CASE("checked_bytes refuses sizes that cannot be", "[core][aligned_memory]") {
  CHECK(hs::checked_bytes("f", 0, 8) == 0);
  CHECK(hs::checked_bytes("f", 3, 12) == 36);
  CHECK_RAISES(hs::checked_bytes("pack", -1, 4), "halfstep: pack: size is -1, expected at least 0");
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  CHECK_RAISES(hs::checked_bytes("pack", largest, 1), "pack: size is 9223372036854775807 elements of 1 bytes");
  CHECK_RAISES(hs::checked_bytes("pack", largest / 4, 8), "elements of 8 bytes");
  // 2^61 elements of 8 bytes are 2^64: a product that wraps to 0.
  CHECK_RAISES(hs::checked_bytes("pack", std::int64_t{1} << 61, 8), "more than this machine can address");
}
