#include "halfstep/core/build_info.hpp"

#include <string>

#include "halfstep/core/error.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a unit knows its version, flags and compiler", "[core][build_info]") {
  constexpr hs::BuildInfo info = hs::build_info();
  const std::string version =
      hs::concat(HALFSTEP_VERSION_MAJOR, ".", HALFSTEP_VERSION_MINOR, ".", HALFSTEP_VERSION_PATCH);
  CHECK(info.version == version);
  const std::string abi(info.abi);
  CHECK(abi.rfind(hs::concat("v", HALFSTEP_VERSION_MAJOR, "_", HALFSTEP_VERSION_MINOR, "_", info.isa, "_x"), 0) == 0);
  CHECK(info.exceptions == (abi.find("_noexc") == std::string::npos));
  CHECK(info.assertions == (abi.find("_debug") != std::string::npos));
  CHECK_FALSE(info.fast_math);
  CHECK(info.compiler.size() >= 7);
  CHECK(hs::concat(info) == hs::concat("halfstep ", version, " (", abi, "), ", info.isa, ", ", info.compiler));
}
