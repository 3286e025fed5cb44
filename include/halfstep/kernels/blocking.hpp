#pragma once

/// \file
/// Sizes of the pieces that a product is cut into, and how they come from the cache. Results depend on none of them.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>

#if defined(__linux__)
#include <unistd.h>
#endif

namespace halfstep::inline HALFSTEP_ABI {

/// What shares a filled panel, and how long a panel is. The values here suit caches from 32 KiB (L1) and 256 KiB (L2)
/// on.
struct Blocking {
  Index rows = 256;      ///< rows that share one filled panel
  Index panel_k = 2048;  ///< K of a panel at most; a multiple of 16, at most 65536, so that int32 sums cannot overflow
  friend constexpr bool operator==(const Blocking&, const Blocking&) = default;
};

/// The blocking for a second-level cache of `l2_bytes`: a panel of 64 outputs takes a quarter of it, and between 1024
/// and 16384 of K. 0: the size is not known, and the blocking the default.
[[nodiscard]] constexpr Blocking blocking_for(Index l2_bytes) {
  if (l2_bytes <= 0) return {};
  return {.panel_k = std::clamp<Index>(l2_bytes / 4 / 64 / 16 * 16, 1024, 16384)};
}

/// Bytes of the second-level cache of a core of this machine, as the operating system has them; 0 where it does not
/// say.
[[nodiscard]] inline Index l2_cache_bytes() {
#if defined(__linux__) && defined(_SC_LEVEL2_CACHE_SIZE)
  static const Index bytes = std::max<Index>(0, static_cast<Index>(sysconf(_SC_LEVEL2_CACHE_SIZE)));
  return bytes;
#else
  return 0;
#endif
}

/// What products use unless told otherwise.
[[nodiscard]] inline Blocking default_blocking() { return blocking_for(l2_cache_bytes()); }

}  // namespace halfstep::inline HALFSTEP_ABI
