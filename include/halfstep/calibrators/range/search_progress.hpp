#pragma once

/// \file
/// How a search tells how far it is, and hears whether to go on.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// Called now and then during a search, with the candidates that were tried and those that there are. Returns whether
/// to go on; a search that is stopped gives the best so far and says that it is not complete. Called on the thread that
/// called the search. What it throws reaches the caller.
using SearchProgress = FunctionRef<bool(Index done, Index total)>;

}  // namespace halfstep::inline HALFSTEP_ABI
