// The tile kernel of this build against the generic one, for equality.

#include "halfstep/kernels/tile_default.hpp"

#include <cstdint>
#include <vector>

#include "kernels/tiles.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("the tile of this build gives the generic sums", "[tile]") { check_tile(hs::default_tile()); }

TEST_CASE("sums reach the end of int32", "[tile]") {
  TileProduct p;
  p.k = 65792;  // the largest multiple of 16 below 65793
  p.row_stride = p.k;
  p.rows.assign(static_cast<std::size_t>(p.k), 255);
  p.lines.assign(static_cast<std::size_t>(p.k * 16), 0x80);
  const std::vector<std::int32_t> d = multiply(hs::default_tile(), p, 0);
  for (std::size_t n = 0; n < 16; ++n) CHECK(d[n] == -255 * 128 * p.k);
}
