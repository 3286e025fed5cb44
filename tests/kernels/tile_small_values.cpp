#include "halfstep/kernels/tile_small_values.hpp"

#include "halfstep/kernels/product.hpp"
#include "halfstep/kernels/tile_compiled.hpp"
#include "kernels/tiles.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("kernels for small weights give the generic sums, at the largest that they are for", "[tile]") {
#if defined(__AVX2__)
  check_tile(hs::small_values_tile<hs::simd::ShortLineSums, 1>);
  check_tile(hs::small_values_tile<hs::simd::ShortLineSums, 8>);
  check_tile(hs::small_values_tile<hs::simd::ShortLineSums, 12>);
#endif
}

TEST_CASE("special kernels are taken where they fit, else the kernel itself", "[tile]") {
  CHECK(&hs::tile_for(hs::tile_generic, 1, 1) == &hs::tile_generic);
#if defined(__AVX2__)
  const hs::TileKernel& avx2 = hs::tile_of<hs::simd::TileStepAvx2>();
  CHECK(&hs::tile_for(avx2, 1, 8) == &hs::few_rows_tile<hs::simd::SmallLineSums>);
  CHECK(&hs::tile_for(avx2, 4, 33) == &hs::few_rows_tile<hs::simd::WideLineSums, hs::simd::SplitTableSums>);
  CHECK(&hs::tile_for(avx2, 5, 8) == &hs::small_values_tile<hs::simd::ShortLineSums, 8>);
  CHECK(&hs::tile_for(avx2, 500, 12) == &hs::small_values_tile<hs::simd::ShortLineSums, 12>);
  CHECK(&hs::tile_for(avx2, 5, 13) == &avx2);
#endif
}
