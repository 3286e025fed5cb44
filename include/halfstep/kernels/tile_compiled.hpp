#pragma once

/// \file
/// The best tile kernel that the flags of this translation unit allow. No code runs to find it, and nothing of Eigen or
/// the standard library's containers is included: units that are compiled once per instruction set consist of this.

#include "halfstep/config.hpp"
#include "halfstep/kernels/tile_dot.hpp"
#include "halfstep/kernels/tile_few_rows.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "halfstep/kernels/tile_small_values.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The faster kernels that a step has for some products.
template <class Step>
struct SpecialTiles {
  static constexpr const TileKernel* list[] = {nullptr};
};
template <class Step>
requires requires { typename Step::ShortSums; }
struct SpecialTiles<Step> {
  static constexpr const TileKernel* list[] = {&few_rows_tile<typename Step::SmallSums>,
                                               &few_rows_tile<typename Step::WideSums, typename Step::WideCodeSums>,
                                               &small_values_tile<typename Step::ShortSums, 4>,
                                               &small_values_tile<typename Step::ShortSums, 8>,
                                               &small_values_tile<typename Step::ShortSums, 12>,
                                               nullptr};
};
template <class Step>
requires requires { typename Step::FewRowsSums; }
struct SpecialTiles<Step> {
  static constexpr const TileKernel* list[] = {&few_rows_tile<typename Step::FewRowsSums>, nullptr};
};

/// `tile` with its special kernels.
[[nodiscard]] constexpr TileKernel with_special(TileKernel tile, const TileKernel* const* special) {
  tile.special = special;
  return tile;
}

/// The kernel of a step with its special ones.
template <class Step>
inline constexpr TileKernel step_tile = with_special(Step::k == 4 ? byte_tile<Step> : word_tile<Step>,
                                                     SpecialTiles<Step>::list);

/// The kernel of a step, or the generic one for none. A template, so that only the kernel in question is instantiated.
template <class Step>
[[nodiscard]] constexpr const TileKernel& tile_of() {
  if constexpr (Step::k == 0) {
    return tile_generic;
  } else {
    return step_tile<Step>;
  }
}

[[nodiscard]] constexpr const TileKernel& compiled_tile() { return tile_of<simd::BestTileStep>(); }

}  // namespace halfstep::inline HALFSTEP_ABI
