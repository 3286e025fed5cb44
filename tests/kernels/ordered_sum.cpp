#include "halfstep/kernels/ordered_sum.hpp"

#include <array>
#include <cmath>
#include <cstddef>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

namespace {

/// The order that the header states, one value after the other.
float plain_ordered_sum(const std::vector<float>& x) {
  std::array<float, 16> sums{};
  for (std::size_t i = 0; i < x.size(); ++i) sums[i % 16] += x[i];
  for (std::size_t width = 8; width > 0; width /= 2) {
    for (std::size_t l = 0; l < width; ++l) sums[l] += sums[l + width];
  }
  return sums[0];
}

float sum_of(const std::vector<float>& x) {
  return hs::ordered_sum(static_cast<hs::Index>(x.size()),
                         [&](hs::Index i, hs::Index part) { return hs::load_part(x.data() + i, part); });
}

}  // namespace

TEST_CASE("ordered_sum adds in the written order, bit for bit", "[ordered_sum]") {
  for (hs::Index n = 0; n <= 70; ++n) {
    const FloatMatrix x = random_matrix(1, n, 31, 1e3f);
    CAPTURE(n);
    CHECK(sum_of(x.values) == plain_ordered_sum(x.values));
  }
}

TEST_CASE("ordered_sum keeps to its error bound", "[ordered_sum]") {
  for (const hs::Index n : {1, 15, 16, 17, 128, 1000, 4099}) {
    const FloatMatrix x = random_matrix(1, n, 32, 1.0f, 0.5f);
    double exact = 0, magnitude = 0;
    for (const float value : x.values) {
      exact += static_cast<double>(value);
      magnitude += std::fabs(static_cast<double>(value));
    }
    CAPTURE(n);
    CHECK(std::fabs(static_cast<double>(sum_of(x.values)) - exact) <=
          (static_cast<double>(n) / 16 + 4) * 0x1p-24 * magnitude);
  }
}

TEST_CASE("parts cover a row once and touch nothing beyond it", "[ordered_sum]") {
  for (hs::Index n = 0; n <= 40; ++n) {
    std::vector<float> row(static_cast<std::size_t>(n) + 20, -7.0f);
    hs::Index seen = 0;
    hs::for_each_part(n, [&](hs::Index i, hs::Index part) {
      CHECK(i == seen);
      seen += part;
      hs::store_part(row.data() + i, hs::load_part(row.data() + i, part) + hs::simd::FloatBatch(8.0f), part);
    });
    CAPTURE(n);
    CHECK(seen == n);
    for (std::size_t i = 0; i < row.size(); ++i) CHECK(row[i] == (i < static_cast<std::size_t>(n) ? 1.0f : -7.0f));
  }
}
