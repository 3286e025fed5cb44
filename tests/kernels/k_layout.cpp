#include "halfstep/kernels/k_layout.hpp"

#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("every element has a place of its own, in order, and groups start at steps", "[k_layout]") {
  for (const hs::Index k : {1, 2, 15, 16, 17, 63, 64, 65, 130}) {
    for (const hs::Index group : {0, 1, 7, 15, 16, 19, 32, 64, 200}) {
      const hs::KLayout layout(k, group);
      CAPTURE(k, group);
      hs::Index next = 0, covered = 0;
      for (hs::Index g = 0; g < layout.groups(); ++g) {
        CHECK(layout.padded_begin(g) % hs::KLayout::k_step == 0);
        CHECK(layout.padded_begin(g) == covered);
        CHECK(layout.begin(g) == next);
        CHECK(layout.length(g) >= 1);
        CHECK(layout.padded_length(g) >= layout.length(g));
        CHECK(layout.padded_length(g) < layout.length(g) + hs::KLayout::k_step);
        for (hs::Index i = 0; i < layout.length(g); ++i) {
          REQUIRE(layout.position(next + i) == layout.padded_begin(g) + i);
        }
        next += layout.length(g);
        covered += layout.padded_length(g);
      }
      CHECK(next == k);
      CHECK(covered == layout.padded_k());
      bool plain = true;
      for (hs::Index i = 0; i < k; ++i) plain = plain && layout.position(i) == i;
      // A layout of one-element groups is plain only where there is one; no other layout is plain by chance.
      CHECK(plain == layout.is_plain());
    }
  }
}

TEST_CASE("an axis without elements has one empty group", "[k_layout]") {
  const hs::KLayout layout(0, 16);
  CHECK(layout.groups() == 1);
  CHECK(layout.length(0) == 0);
  CHECK(layout.padded_k() == 0);
  CHECK(hs::KLayout(5, 9) == hs::KLayout(5, 0));
}
