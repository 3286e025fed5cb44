#include "halfstep/kernels/kernel_table.hpp"

#include <string>
#include <type_traits>
#include <typeinfo>

#include "halfstep/kernels/tile_generic.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a kernel table is plain data with one name in every unit", "[dispatch]") {
  STATIC_REQUIRE(std::is_aggregate_v<hs::KernelTable>);
  STATIC_REQUIRE(std::is_trivial_v<hs::KernelTable>);
  STATIC_REQUIRE(std::is_standard_layout_v<hs::KernelTable>);
  CHECK(std::string(typeid(hs::KernelTable).name()) == "N8halfstep11KernelTableE");
}

TEST_CASE("a table is there before any code runs", "[dispatch]") {
  static constexpr hs::KernelTable table{"generic", &hs::tile_generic};
  STATIC_REQUIRE(table.tile == &hs::tile_generic);
  STATIC_REQUIRE(table.tile->max_rows == 8);
}
