#include "halfstep/kernels/tile_kernel.hpp"

#include <string>
#include <type_traits>
#include <typeinfo>

#include "support/catch.hpp"

TEST_CASE("a tile kernel is plain data with one name in every unit", "[tile]") {
  STATIC_REQUIRE(std::is_aggregate_v<halfstep::TileKernel>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<halfstep::TileKernel>);
  STATIC_REQUIRE(std::is_standard_layout_v<halfstep::TileKernel>);
  // Not in the namespace that names the flags of a unit: kernels of other instruction sets come from other units.
  CHECK(std::string(typeid(halfstep::TileKernel).name()) == "N8halfstep10TileKernelE");
}
