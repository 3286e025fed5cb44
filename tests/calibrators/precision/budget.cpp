// The parts of calibrators/precision/ together, as docs/calibrators.md shows them.

#include <cstdint>
#include <vector>

#include "halfstep/calibrators/precision/exact_allocation.hpp"
#include "halfstep/calibrators/precision/greedy_allocation.hpp"
#include "halfstep/calibrators/precision/sensitivity.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

struct BudgetLayer {
  hs::MatrixF x, w;  // inputs as they were recorded, and the weight
};

}  // namespace

TEST_CASE("a budget of bits goes where output errors say") {
  std::vector<BudgetLayer> layers;
  for (std::uint32_t l = 0; l < 4; ++l) {
    const float size = l == 2 ? 8.0f : 1.0f;  // one layer is far more sensitive
    layers.push_back(
        {size * hs::as_eigen(random_matrix(20, 16, l).view()), hs::as_eigen(random_matrix(8, 16, 9 + l).view())});
  }
  // [snippet budget]
  std::vector<hs::LayerOptions> options;
  for (const auto& [x, w] : layers) {
    const hs::MatrixF w3 = hs::dequantize(hs::quantize<hs::Uniform<3>>(w, {.tiling = hs::per_row()}));
    const hs::MatrixF w4 = hs::dequantize(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_row()}));
    const hs::MatrixF w6 = hs::dequantize(hs::quantize<hs::Uniform<6>>(w, {.tiling = hs::per_row()}));
    hs::LayerOptions layer;
    for (const int bits : {3, 4, 6}) layer.costs.push_back(hs::weight_bits(w.rows(), w.cols(), bits));
    for (const auto& w_hat : {w3, w4, w6}) layer.losses.push_back(hs::output_error(x, w, x, w_hat));
    options.push_back(layer);
  }
  const auto bits = hs::allocate_exact(options, 4 * 4 * 8 * 16);  // 4 bits on average
  // [end budget]
  CHECK(bits.choices[2] == 2);
  CHECK(bits.cost <= 4 * 4 * 8 * 16);
  CHECK(bits.loss <= hs::allocate_greedy(options, 4 * 4 * 8 * 16).loss);
}
