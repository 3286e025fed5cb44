// Built with -fno-exceptions -fno-rtti: the library compiles, works, and misuse reaches the replaceable handler with
// the message that would have been thrown.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "halfstep/halfstep.hpp"

namespace hs = halfstep;

static_assert(HALFSTEP_HAS_EXCEPTIONS == 0);

int main() {
  hs::set_error_handler([](const char* message) {
    const bool as_thrown =
        std::strcmp(message, "halfstep: matmul: x has 3 columns, packed weight expects 4 (its in_features)") == 0;
    std::printf("handler got: %s\n", message);
    std::fflush(stdout);
    std::_Exit(as_thrown ? EXIT_SUCCESS : EXIT_FAILURE);
  });
  const hs::MatrixF w = hs::MatrixF::Identity(2, 4);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_row()}));
  hs::ThreadPool pool(2);
  if (hs::matmul(w, packed, {.executor = pool})(0, 0) < 0.9f) return EXIT_FAILURE;
  static_cast<void>(hs::matmul(hs::MatrixF::Zero(1, 3).eval(), packed));
  return EXIT_FAILURE;
}
