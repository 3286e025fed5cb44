// Built with -fno-exceptions: misuse reaches the replaceable handler, with the message that would have been thrown.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "halfstep/core/error.hpp"

static_assert(HALFSTEP_HAS_EXCEPTIONS == 0);

int main() {
  halfstep::set_error_handler([](const char* message) {
    const bool as_thrown = std::strcmp(message, "halfstep: matmul: x has 3 columns, expected 4") == 0;
    std::printf("handler got: %s\n", message);
    std::fflush(stdout);
    std::_Exit(as_thrown ? EXIT_SUCCESS : EXIT_FAILURE);
  });
  halfstep::raise("matmul", "x has ", 3, " columns, expected ", 4);
}
