#include "halfstep/kernels/tile_few_rows.hpp"

#include "kernels/tiles.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("kernels of a few rows give the generic sums, from lines in place", "[tile]") {
#if defined(__AVX2__)
  check_tile(hs::few_rows_tile<hs::simd::SmallLineSums>);
  check_tile(hs::few_rows_tile<hs::simd::WideLineSums>);
  check_tile(hs::few_rows_tile<hs::simd::WideLineSums, hs::simd::SplitTableSums>);
#endif
#if defined(__AVXVNNI__) && defined(__AVX2__)
  check_tile(hs::few_rows_tile<hs::simd::VnniHalfLineSums>);
#endif
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
  check_tile(hs::few_rows_tile<hs::simd::VnniLineSums>);
#endif
}
