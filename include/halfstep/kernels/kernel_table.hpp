#pragma once

/// \file
/// The kernels of one instruction set, as plain data, and which of them this program uses.
///
/// This header is outside the inline namespace on purpose, like tile_kernel.hpp: units with different flags share what
/// it declares. It holds data only; there is no function that a linker could take from the wrong unit.

#include "halfstep/kernels/tile_kernel.hpp"

namespace halfstep {

/// What a unit compiled for one instruction set offers to the rest of the program.
struct KernelTable {
  const char* isa;         ///< the flags it was compiled with, one of `simd::isa_names`
  const TileKernel* tile;  ///< the int8 product
};

/// Tables of every instruction set that was linked in, in any order, null after the last. Defined by the unit that the
/// CMake function `halfstep_add_isa_variants` generates.
extern const KernelTable* const linked_kernel_tables[];

}  // namespace halfstep
