#include "halfstep/kernels/blocking.hpp"

#include "halfstep/kernels/matmul_options.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a panel takes a quarter of the second-level cache, within limits", "[blocking]") {
  CHECK(hs::blocking_for(0) == hs::Blocking{});
  CHECK(hs::blocking_for(512 << 10).panel_k == 2048);
  CHECK(hs::blocking_for(1 << 20).panel_k == 4096);
  CHECK(hs::blocking_for(1280 << 10).panel_k == 5120);
  CHECK(hs::blocking_for(1000).panel_k == 1024);
  CHECK(hs::blocking_for(hs::Index{1} << 40).panel_k == 16384);
  for (hs::Index bytes = 0; bytes < 5000000; bytes += 4999) {
    hs::require_blocking("test", hs::blocking_for(bytes));
  }
  CHECK(hs::MatmulOptions{}.blocking == hs::default_blocking());
  CHECK(hs::default_blocking() == hs::blocking_for(hs::l2_cache_bytes()));
}
