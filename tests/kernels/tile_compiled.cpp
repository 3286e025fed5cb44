#include "halfstep/kernels/tile_compiled.hpp"

#include <string>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("the kernel of a step, and the generic one where there is no step", "[tile]") {
  STATIC_REQUIRE(&hs::tile_of<hs::simd::TileStepNone>() == &hs::tile_generic);
  constexpr const hs::TileKernel& tile = hs::compiled_tile();
  STATIC_REQUIRE(tile.max_rows >= 1);
#if defined(__SSE2__)
  CHECK(&tile != &hs::tile_generic);
#endif
}
