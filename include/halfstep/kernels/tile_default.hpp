#pragma once

/// \file
/// The tile kernel of products that do not name one.

#include "halfstep/config.hpp"
#include "halfstep/kernels/kernel_table.hpp"
#include "halfstep/kernels/tile_compiled.hpp"

#include <atomic>

namespace halfstep {

/// The table that products use unless their options name a kernel, or null: what their own unit was compiled for. Set
/// by `use_kernels` of kernels/dispatch.hpp. Outside the inline namespace: one choice for the whole program.
inline constinit std::atomic<const KernelTable*> kernels_in_use{nullptr};

}  // namespace halfstep

namespace halfstep::inline HALFSTEP_ABI {

/// That of the table in use, where the program has chosen one (kernels/dispatch.hpp); else the best one that the flags
/// of this translation unit allow.
[[nodiscard]] inline const TileKernel& default_tile() {
  const KernelTable* const table = kernels_in_use.load(std::memory_order_acquire);
  return table != nullptr ? *table->tile : compiled_tile();
}

}  // namespace halfstep::inline HALFSTEP_ABI
