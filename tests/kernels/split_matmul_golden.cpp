// Agreement with golden/llmint8.safetensors: codes, outlier columns and accumulators exact (a code may differ by 1
// where its unrounded value is within 1e-5 of a tie), products 2e-5 of the largest.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

MatrixView<const float> view_of(const LoadedMatrix<float>& m) { return {m.values.data(), m.rows, m.cols}; }

bool is_tie(float x, float absmax) {
  const double y = static_cast<double>(x) * 127 / static_cast<double>(absmax);
  return std::fabs(std::fabs(y - std::floor(y)) - 0.5) <= 1e-5;
}

/// Signed codes against those of a file.
template <class CodeAt>
void check_signed_codes(const LoadedMatrix<float>& x, const std::vector<float>& absmax,
                        const std::vector<std::int32_t>& expected, CodeAt code_at) {
  REQUIRE(expected.size() == x.values.size());
  for (Index r = 0; r < x.rows; ++r) {
    for (Index c = 0; c < x.cols; ++c) {
      const auto at = static_cast<std::size_t>(r * x.cols + c);
      CAPTURE(r, c);
      const int difference = code_at(r, c) - 128 - expected[at];
      CHECK((difference == 0 ||
             (std::abs(difference) == 1 && is_tie(x.values[at], absmax[static_cast<std::size_t>(r)]))));
    }
  }
}

void check_close(const MatrixF& found, const std::vector<float>& expected) {
  REQUIRE(expected.size() == static_cast<std::size_t>(found.size()));
  double largest = 0;
  for (const float y : expected) largest = std::max(largest, std::fabs(static_cast<double>(y)));
  CHECK(mismatches(expected, [&](std::size_t i) { return found.data()[i]; }, {.absolute = 2e-5 * largest}) == 0);
}

struct SplitCase {
  LoadedMatrix<float> x, w;
  std::vector<float> bias;
  float threshold;
  PackedMatrix packed;
};

SplitCase load_case(const Golden& g, const std::string& prefix) {
  SplitCase c{g.matrix(prefix + "X"),
              g.matrix(prefix + "W"),
              g.values<float>(prefix + "bias"),
              g.scalar<float>(prefix + "threshold"),
              {}};
  c.packed = pack(quantize<Absmax<8>>(view_of(c.w), {.tiling = per_row()}));
  return c;
}

/// Splits the activations of a case and checks scales and codes.
SplitMatrix check_split(const Golden& g, const std::string& prefix, const SplitCase& c, RowMagnitude magnitude,
                        const std::string& suffix) {
  const SplitMatrix x = split(view_of(c.x), {.threshold = c.threshold, .row_magnitude = magnitude});
  const auto columns = g.values<std::int32_t>(prefix + "outlier_cols");
  CHECK(std::vector<std::int32_t>(x.columns().begin(), x.columns().end()) == columns);
  const std::vector<float> absmax = g.values<float>(prefix + "row_absmax" + suffix);
  CHECK(mismatches(absmax, [&](std::size_t r) {
          const float scale = x.integers().scale(static_cast<Index>(r));
          return scale == absmax[r] / 127 ? absmax[r] : scale * 127;
        }) == 0);
  check_signed_codes(c.x, absmax, g.values<std::int32_t>(prefix + "CA" + suffix),
                     [&](Index r, Index k) { return int{x.integers().plane_value(0, r, k)}; });
  return x;
}

}  // namespace

TEST_CASE("golden: codes and products of LLM.int8()", "[golden]") {
  const Golden g("llmint8");
  for (const GoldenCase& found : g.cases("*.X")) {
    CAPTURE(found.prefix);
    const SplitCase c = load_case(g, found.prefix);
    const auto weight = quantize<Absmax<8>>(view_of(c.w), {.tiling = per_row()});
    const std::vector<float> absmax = g.values<float>(found.prefix + "col_absmax");
    for (Index n = 0; n < weight.rows(); ++n) {
      CHECK(weight.quantizer(n).absmax == absmax[static_cast<std::size_t>(n)]);
    }
    check_signed_codes(c.w, absmax, g.values<std::int32_t>(found.prefix + "CB"),
                       [&](Index n, Index k) { return int{weight.code(n, k)}; });

    const SplitMatrix library = check_split(g, found.prefix, c, RowMagnitude::other_elements, "");
    check_close(split_matmul(library, c.packed, {.bias = c.bias}), g.values<float>(found.prefix + "y"));

    // The kernel's accumulators, read back from its output: below 2^24 and within 2^-23 of themselves, so that the
    // nearest integer is the accumulator.
    const MatrixF product = matmul(library.integers(), c.packed);
    const auto acc = g.values<std::int32_t>(found.prefix + "acc");
    CHECK(mismatches(acc, [&](std::size_t i) {
            const auto t = static_cast<Index>(i) / product.cols(), n = static_cast<Index>(i) % product.cols();
            return std::nearbyint(
                static_cast<double>(product(t, n)) /
                (static_cast<double>(library.integers().scale(t)) * static_cast<double>(c.packed.scale(0)[n])));
          }) == 0);

    const SplitMatrix paper = check_split(g, found.prefix, c, RowMagnitude::other_columns, "_paper");
    check_close(split_matmul(paper, c.packed, {.float_weight = view_of(c.w), .bias = c.bias}),
                g.values<float>(found.prefix + "y_paper"));
  }
}

TEST_CASE("golden: llmint8 is consumed", "[golden]") { Golden("llmint8").require_all_consumed_at_end(); }
