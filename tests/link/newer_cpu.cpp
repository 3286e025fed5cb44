// Compiled for AVX2 and run where there is none: what this unit says is missing, asked for (no argument), or thrown by
// the library where nobody asked (any argument).

#include <cstdio>

#include "halfstep/simd/require_cpu.hpp"

int main(int argc, char**) {
  if (argc > 1) halfstep::simd::require_cpu();
  const char* const lack = halfstep::simd::missing_compiled_feature();
  if (lack == nullptr) return std::puts("nothing is missing"), 0;
  std::printf("this processor lacks %s\n", lack);
  return 3;
}
