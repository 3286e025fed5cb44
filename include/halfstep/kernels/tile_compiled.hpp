#pragma once

/// \file
/// The best tile kernel that the flags of this translation unit allow. No code runs to find it, and nothing of Eigen or
/// the standard library's containers is included: units that are compiled once per instruction set consist of this.

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_dot.hpp"
#include "halfstep/kernels/tile_generic.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The kernel of a step, or the generic one for none. A template, so that only the kernel in question is instantiated.
template <class Step>
[[nodiscard]] constexpr const TileKernel& tile_of() {
  if constexpr (Step::k == 4) {
    return byte_tile<Step>;
  } else if constexpr (Step::k == 2) {
    return word_tile<Step>;
  } else {
    return tile_generic;
  }
}

[[nodiscard]] constexpr const TileKernel& compiled_tile() { return tile_of<simd::BestTileStep>(); }

}  // namespace halfstep::inline HALFSTEP_ABI
