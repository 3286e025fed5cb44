// Calls from within the caller's own parallel region.

#include <atomic>

#include "halfstep/halfstep.hpp"
#include "support/catch.hpp"

#if defined(_OPENMP)
#include "halfstep/core/openmp.hpp"

namespace hs = halfstep;

TEST_CASE("calls from within a parallel region of OpenMP", "[openmp]") {
  const hs::MatrixF w = hs::MatrixF::Random(300, 200), x = hs::MatrixF::Random(64, 200);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(32)}));
  const hs::MatrixF expected = hs::matmul(x, packed);
  hs::ThreadPool pool(2);
  std::atomic<int> wrong{0};
#pragma omp parallel num_threads(3)
  {
    const hs::OpenMpExecutor executor(2);
    wrong += hs::matmul(x, packed) == expected ? 0 : 1;
    wrong += hs::matmul(x, packed, {.executor = executor}) == expected ? 0 : 1;
    wrong += hs::matmul(x, packed, {.executor = pool}) == expected ? 0 : 1;
    try {
      static_cast<void>(hs::matmul(w, hs::PackedMatrix(), {.executor = executor}));
      ++wrong;
    } catch (const hs::Error&) {
    }
  }
  CHECK(wrong == 0);
}
#else
TEST_CASE("without OpenMP there is no parallel region to call from", "[openmp]") { SUCCEED(); }
#endif
