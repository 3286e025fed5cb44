#pragma once

/// \file
/// What recipes for vision transformers do that move scales behind a LayerNorm: fold them into the norm and its reader.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/recipes/vit_site.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// Moves `t` into the norm in front of `at` and the layer that reads it; `at.lhs` moves along. Of sites of
/// `SiteRole::after_norm`. Class: ordered.
inline void fold_behind_norm(VitSite& at, const ShiftScale& t) {
  fold(t, at.norm->view(), {at.layer->view()}, at.executor);
  at.lhs = apply(t, at.lhs, at.executor);
}

}  // namespace halfstep::inline HALFSTEP_ABI
