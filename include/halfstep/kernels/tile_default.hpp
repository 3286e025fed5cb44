#pragma once

/// \file
/// The best tile kernel that the flags of this translation unit allow.

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_dot.hpp"
#include "halfstep/kernels/tile_generic.hpp"

namespace halfstep::inline HALFSTEP_ABI {

[[nodiscard]] inline const TileKernel& default_tile() {
  using Step = simd::BestTileStep;
  if constexpr (Step::k == 4) {
    return byte_tile<Step>;
  } else if constexpr (Step::k == 2) {
    return word_tile<Step>;
  } else {
    return tile_generic;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
