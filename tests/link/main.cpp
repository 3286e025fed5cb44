// The units of one program, compiled with different flags, all with the whole library: each runs with the code that was
// compiled for it, and all give the same bits. LINK_UNITS lists them.

#include <cstdio>
#include <cstring>

#include "link/unit.hpp"

#define LINK_UNIT(name) extern const LinkUnit name;
LINK_UNITS
#undef LINK_UNIT

int main() {
#if defined(LINK_NEWEST_FIRST) && defined(__x86_64__)
  // What units share of the standard library, which is out of the library's reach, is the code of the unit that is
  // linked first: without optimization even a mutex is made by it.
  if (!__builtin_cpu_supports("avx512vnni")) {
    std::puts("skipped: units for AVX-512 are linked first, and this machine has none");
    return 77;
  }
#endif
#define LINK_UNIT(name) &name,
  const LinkUnit* const units[] = {LINK_UNITS};
#undef LINK_UNIT
  int failed = 0, run = 0;
  std::uint64_t expected = 0;
  for (const LinkUnit* unit : units) {
    if (const char* const lack = unit->missing()) {
      std::printf("%-45s not run: this machine lacks %s\n", unit->flags, lack);
      continue;
    }
    const std::uint64_t sum = unit->checksum();
    std::printf("%-45s %-10s %016llx\n", unit->flags, unit->isa, static_cast<unsigned long long>(sum));
    if (run++ == 0) expected = sum;
    failed += sum != expected ? 1 : 0;
    char buffer[200];
    const char* const message = unit->message(buffer, static_cast<int>(sizeof buffer));
    if (message != nullptr && std::strstr(message, "x has 0 columns, packed weight expects 3") == nullptr) {
      std::printf("unexpected message: %s\n", message);
      ++failed;
    }
  }
  return failed == 0 && run >= 2 ? 0 : 1;
}
