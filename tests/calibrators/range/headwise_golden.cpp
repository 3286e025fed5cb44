// Agreement with golden/headwise.safetensors: running estimates 1e-5 of themselves, codes exact but where the unrounded
// value is within 1e-5 of a tie, packed bytes exact.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/headwise_range.hpp"
#include "halfstep/core/high_first_packing.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// An activation `[images, tokens, channels]`, `[images, channels]` or `[images, heads, tokens, size]` as a matrix, and
/// where element i of the grouped tensor `[groups, elements]` stands in it.
struct Grouped {
  HeadLayout layout;
  std::vector<std::size_t> order;

  Grouped(const std::vector<Index>& shape, Index groups) {
    const bool by_head = shape.size() == 4;
    if (by_head) layout = {shape[1], shape[2]};
    const Index cols = shape.back(), images = shape[0];
    const Index tokens = by_head ? shape[2] : (shape.size() == 3 ? shape[1] : 1);
    const Index heads_per_group = by_head ? shape[1] / groups : 1;
    const Index width = by_head ? cols : cols / groups;
    for (Index g = 0; g < groups; ++g) {
      for (Index h = 0; h < heads_per_group; ++h) {
        for (Index row = 0; row < images * tokens; ++row) {
          const Index head = g * heads_per_group + h;
          const Index at = by_head ? (row / tokens * shape[1] + head) * tokens + row % tokens : row;
          for (Index c = 0; c < width; ++c) {
            order.push_back(static_cast<std::size_t>(at * cols + (by_head ? c : g * width + c)));
          }
        }
      }
    }
  }
};

bool is_tie(double steps) {
  return std::fabs(std::fabs(steps - std::floor(steps)) - 0.5) <= 1e-5 * std::fmax(1.0, std::fabs(steps));
}

/// Checks the three kinds of codes and the decoded values of one batch under the stored estimates.
void check_codes_of(const Golden& g, const std::string& prefix, const Grouped& grouped, std::size_t groups) {
  const std::vector<float> x = g.values<float>(prefix + "x"), deq = g.values<float>(prefix + "deq");
  const std::vector<float> span = g.values<float>(prefix + "clip"), shift = g.values<float>(prefix + "shift");
  const std::vector<float> noise = g.values<float>(prefix + "noise");
  const auto codes = g.values<std::int32_t>(prefix + "codes"), wrapped = g.values<std::int32_t>(prefix + "codes_wrap");
  const auto noisy = g.values<std::int32_t>(prefix + "codes_noise");
  REQUIRE(grouped.order.size() == codes.size());
  const float largest =
      *std::max_element(deq.begin(), deq.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t group = i / (codes.size() / groups), at = grouped.order[i];
    const auto q = ShiftedUniform<8>::over(shift[group], span[group]);
    const double steps =
        (static_cast<double>(x[at]) - static_cast<double>(shift[group])) * 255 / static_cast<double>(span[group]);
    CAPTURE(i, steps);
    const std::int32_t code = q.encode(x[at]);
    CHECK((code == codes[i] || (std::abs(code - codes[i]) == 1 && is_tie(steps))));
    CHECK((code == 255 ? wrapped[i] == static_cast<int>(std::nearbyint(steps)) % 256 : wrapped[i] == codes[i]));
    const std::int32_t drawn = q.encode(x[at], noise[i]);
    CHECK((drawn == noisy[i] ||
           (std::abs(drawn - noisy[i]) == 1 && is_tie(std::fmax(steps, 0.0) + static_cast<double>(noise[i]) - 0.5))));
    CHECK(static_cast<double>(q.decode(codes[i])) ==
          Approx(static_cast<double>(deq[at])).margin(1e-4 * std::fabs(static_cast<double>(largest))));
  }
}

}  // namespace

TEST_CASE("golden: head-wise running estimates and their codes", "[golden]") {
  const Golden g("headwise");
  for (const GoldenCase& c : g.cases("*.groups")) {
    const auto groups = g.scalar<Index>(c.name);
    HeadwiseRange seen({.groups = groups});
    for (const GoldenCase& batch : g.cases(c.prefix + "*.x")) {
      CAPTURE(batch.name);
      const Grouped grouped(g.shape(batch.name), groups);
      const LoadedMatrix<float> x = g.matrix(batch.name);
      seen.observe(MatrixView<const float>(x.values.data(), x.rows, x.cols), grouped.layout);
      const std::vector<float> span = g.values<float>(batch.prefix + "clip"),
                               shift = g.values<float>(batch.prefix + "shift");
      const auto& found = seen.estimates();
      REQUIRE(found.size() == span.size());
      CHECK(mismatches(span, [&](std::size_t i) { return found[i].span; }, {.relative = 1e-5}) == 0);
      CHECK(mismatches(shift, [&](std::size_t i) { return found[i].shift; }, {.relative = 1e-5}) == 0);
      check_codes_of(g, batch.prefix, grouped, span.size());
    }
  }
}

TEST_CASE("golden: codes packed with the first in the highest bits", "[golden]") {
  const Golden g("headwise");
  for (const GoldenCase& c : g.cases("pack*.bytes")) {
    CAPTURE(c.name);
    const auto values = g.values<std::uint8_t>(c.prefix + "values"), bytes = g.values<std::uint8_t>(c.name);
    std::vector<std::uint8_t> packed(bytes.size()), codes(values.size());
    pack_high_first(values, c.number(), packed);
    CHECK(packed == bytes);
    unpack_high_first(bytes, c.number(), codes);
    CHECK(codes == values);
  }
}

TEST_CASE("golden: headwise is consumed", "[golden]") { Golden("headwise").require_all_consumed_at_end(); }
