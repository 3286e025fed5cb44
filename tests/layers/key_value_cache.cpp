#include "halfstep/layers/key_value_cache.hpp"

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("KeyValueCache keeps what layers write, token by token", "[key_value_cache]") {
  hs::KeyValueCache cache(2, 3, 5);
  CHECK(cache.bytes() == 2 * 2 * 5 * 3 * 4);
  float next = 1;
  for (const hs::Index count : {2, 1, 2}) {
    for (hs::Index layer = 0; layer < 2; ++layer) {
      const hs::KeyValueRows rows = cache.extended(layer, count);
      CHECK(rows.past == cache.length());
      CHECK(hs::shape_of(rows.keys) == hs::Shape{cache.length() + count, 3});
      CHECK(hs::shape_of(rows.values) == hs::shape_of(rows.keys));
      for (hs::Index r = rows.past; r < rows.keys.rows; ++r) {
        for (hs::Index c = 0; c < 3; ++c) {
          rows.keys(r, c) = static_cast<float>(100 * layer + 10 * r + c) + next;
          rows.values(r, c) = -rows.keys(r, c);
        }
      }
    }
    cache.advance(count);
  }
  CHECK(cache.length() == 5);
  for (hs::Index layer = 0; layer < 2; ++layer) {
    const hs::KeyValueRows rows = cache.extended(layer, 0);
    for (hs::Index r = 0; r < 5; ++r) {
      for (hs::Index c = 0; c < 3; ++c) {
        CHECK(rows.keys(r, c) == static_cast<float>(100 * layer + 10 * r + c) + next);
        CHECK(rows.values(r, c) == -rows.keys(r, c));
      }
    }
  }
  cache.truncate(1);
  CHECK(cache.length() == 1);
  CHECK(cache.extended(1, 2).past == 1);
}

TEST_CASE("KeyValueCache refuses sizes that are none, and more tokens than it has room for", "[key_value_cache]") {
  CHECK_RAISES(hs::KeyValueCache(0, 3, 5),
               "KeyValueCache: layers, width and capacity are 0, 3 and 5, expected at least 1");
  CHECK_RAISES(hs::KeyValueCache(2, 3, -1), "2, 3 and -1");
  hs::KeyValueCache cache(2, 3, 5);
  cache.advance(4);
  CHECK_RAISES(cache.advance(2), "no room for 2 more tokens: 4 of 5 are taken");
  CHECK(cache.length() == 4);
  CHECK_RAISES(cache.truncate(5), "length is 5, expected 0 to the 4 tokens in it");
  CHECK_RAISES(cache.truncate(-1), "length is -1");
}
