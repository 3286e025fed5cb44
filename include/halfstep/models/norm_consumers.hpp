#pragma once

/// \file
/// A norm of a model and what reads it: between them scales move without changing what the model computes.

#include "halfstep/config.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/layers/linear.hpp"

#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A norm and the linear layers that read it, and nothing else reads: what moves scales from one to the others.
struct NormConsumers {
  std::string_view name;
  NormView norm;
  std::vector<Linear*> consumers;
};

}  // namespace halfstep::inline HALFSTEP_ABI
