#include "halfstep/layers/rotary_embedding.hpp"

#include <cmath>
#include <limits>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("RotaryEmbedding turns each head by the angle of its position", "[rotary_embedding]") {
  for (const hs::Index head_size : {2, 6, 16, 34}) {
    for (const double base : {100.0, 10000.0}) {
      const hs::RotaryEmbedding rope(head_size, 40, base);
      FloatMatrix x = random_matrix(3 * 7, 3 * head_size, 511);
      PlainMatrix expected(x.view());
      rope.rotate(x.view(), 7, 5, {});
      plain_rotate(expected, 7, head_size, base, 5);
      // Cosine and sine, two products and a sum: one rounding each, of terms below the length of the pair.
      CAPTURE(head_size, base);
      CHECK(relative_difference(x.view(), expected) <= 4 * 0x1p-24);
    }
  }
}

TEST_CASE("RotaryEmbedding keeps what a query sees of a key a matter of their distance", "[rotary_embedding]") {
  const hs::RotaryEmbedding rope(8, 100, 10000);
  const FloatMatrix query = random_matrix(1, 8, 512), key = random_matrix(1, 8, 513);
  const auto product = [&](hs::Index query_position, hs::Index key_position) {
    FloatMatrix q = query, k = key;
    rope.rotate(q.view(), 1, query_position, {});
    rope.rotate(k.view(), 1, key_position, {});
    double sum = 0;
    for (hs::Index c = 0; c < 8; ++c) sum += static_cast<double>(q(0, c)) * static_cast<double>(k(0, c));
    return sum;
  };
  // Six roundings of values below 4 in each factor of eight terms.
  CHECK(product(9, 4) == Approx(product(95, 90)).margin(8 * 6 * 16 * 0x1p-24));
  CHECK(std::fabs(product(9, 4) - product(9, 5)) > 1e-3);
  FloatMatrix q = query;
  rope.rotate(q.view(), 1, 0, {});
  CHECK(first_difference(q.view(), query.view()) == "");
}

TEST_CASE("RotaryEmbedding gives the same bytes on threads", "[rotary_embedding]") {
  const hs::RotaryEmbedding rope(16, 300, 10000);
  FloatMatrix serial = random_matrix(900, 64, 514), threaded = serial;
  hs::ThreadPool pool(3);
  rope.rotate(serial.view(), 300, 0, {});
  rope.rotate(threaded.view(), 300, 0, pool);
  CHECK(first_difference(threaded.view(), serial.view()) == "");
}

TEST_CASE("RotaryEmbedding refuses heads without pairs and positions that are none", "[rotary_embedding]") {
  CHECK_RAISES(hs::RotaryEmbedding(7, 10, 10000),
               "RotaryEmbedding: head_size is 7, expected an even number of at least 2");
  CHECK_RAISES(hs::RotaryEmbedding(0, 10, 10000), "head_size is 0");
  CHECK_RAISES(hs::RotaryEmbedding(8, 0, 10000), "positions is 0, expected at least 1");
  CHECK_RAISES(hs::RotaryEmbedding(8, 10, 0), "base is 0, expected a positive number");
  CHECK_RAISES(hs::RotaryEmbedding(8, 10, std::numeric_limits<double>::infinity()), "base is inf");
}
