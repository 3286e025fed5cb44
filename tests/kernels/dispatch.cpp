#include "halfstep/kernels/dispatch.hpp"

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/simd/isa.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

/// Kernels that can be told apart by their address; the generic one runs everywhere.
constinit const hs::TileKernel tile_a = hs::tile_generic;
constinit const hs::TileKernel tile_b = hs::tile_generic;
constinit const hs::KernelTable generic{"generic", &tile_a};
constinit const hs::KernelTable compiled{hs::simd::isa_name.data(), &tile_b};
#if defined(__aarch64__)
constinit const hs::KernelTable foreign{"avx2", &tile_b};
#else
constinit const hs::KernelTable foreign{"neon", &tile_b};
#endif

/// Leaves the program as it was.
struct KernelsRestored {
  const hs::KernelTable* before = hs::kernels_in_use.load();
  ~KernelsRestored() {
    hs::kernels_in_use.store(before);
    unsetenv("HALFSTEP_ISA");
  }
};

}  // namespace

namespace halfstep {
constinit const KernelTable* const linked_kernel_tables[] = {&generic, &foreign, &compiled, nullptr};
}  // namespace halfstep

TEST_CASE("the best table that runs here is picked, in whatever order they come", "[dispatch]") {
  CHECK(&hs::pick_kernels(std::array{&generic, &foreign, &compiled}) == &compiled);
  CHECK(&hs::pick_kernels(std::array{&compiled, &foreign, &generic}) == &compiled);
  CHECK(&hs::pick_kernels(std::array{&foreign, &generic}) == &generic);
}

TEST_CASE("a table that was asked for is taken, or refused by name", "[dispatch]") {
  const std::array tables{&generic, &foreign, &compiled};
  CHECK(&hs::pick_kernels(tables, "generic") == &generic);
  CHECK(&hs::pick_kernels(tables, compiled.isa) == &compiled);
  const std::string foreign_name(foreign.isa);
  CHECK_RAISES(hs::pick_kernels(tables, foreign.isa),
               "instruction set \"" + foreign_name + "\" was asked for, and this machine lacks an ");
  CHECK_RAISES(
      hs::pick_kernels(tables, "avx3"),
      "pick_kernels: instruction set \"avx3\" was asked for, expected one that was built in: generic, " + foreign_name);
  CHECK_RAISES(hs::pick_kernels(std::array{&foreign}),
               "this machine runs none of the instruction sets that were built "
               "in: " +
                   foreign_name);
  CHECK_RAISES(hs::pick_kernels({}), "built in: none");
}

TEST_CASE("products use what the program chose, and give the same bits", "[dispatch]") {
  const KernelsRestored restored;
  const hs::MatrixF x = hs::MatrixF::Random(5, 70), w = hs::MatrixF::Random(40, 70);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(32)}));
  const hs::MatrixF before = hs::matmul(x, packed);

  unsetenv("HALFSTEP_ISA");
  CHECK(&hs::use_best_kernels() == &compiled);
  CHECK(&hs::default_tile() == &tile_b);
  setenv("HALFSTEP_ISA", "generic", 1);
  CHECK(&hs::use_best_kernels() == &generic);
  CHECK(&hs::default_tile() == &tile_a);
  CHECK(hs::matmul(x, packed) == before);

  // A refusal leaves the choice as it was.
  setenv("HALFSTEP_ISA", foreign.isa, 1);
  CHECK_RAISES(hs::use_best_kernels(), "was asked for");
  CHECK(&hs::default_tile() == &tile_a);
}

TEST_CASE("without a choice a unit uses the kernel that it was compiled for", "[dispatch]") {
  const KernelsRestored restored;
  hs::kernels_in_use.store(nullptr);
  CHECK(&hs::default_tile() == &hs::compiled_tile());
  CHECK(hs::linked_kernels().size() == 3);
}
