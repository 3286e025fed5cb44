#pragma once

/// \file
/// What a program says of the machine before it measures, and what must not be set.

#include <halfstep/core/error.hpp>
#include <halfstep/kernels/tile_default.hpp>
#include <halfstep/simd/isa.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/limits.hpp"
#include "support/peers.hpp"

namespace halfstep_bench {

/// Whether OpenBLAS chooses its kernels by itself; says on stderr what is to be unset where it does not.
inline bool openblas_chooses(const char* program) {
  for (const char* variable : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}) {
    if (std::getenv(variable) == nullptr) continue;
    std::fprintf(stderr, "%s: unset %s: OpenBLAS would not choose its kernels by itself\n", program, variable);
    return false;
  }
  return true;
}

/// Instruction set, tile, measured limits and peers, in one line.
inline std::string machine_line() {
  char limits[64];
  std::snprintf(limits, sizeof limits, "int8 limit %.1f GOP/s, DRAM %.1f GB/s", int8_limit_gops(), dram_limit_gbps());
  return halfstep::concat("isa ", halfstep::simd::isa_name, ", tile ", halfstep::default_tile().name, ", ", limits,
                          peer_versions());
}

}  // namespace halfstep_bench
