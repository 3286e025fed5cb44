#include "halfstep/calibrators/range/squared_error.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double error(const Uniform<4>& q, float x) {
  return static_cast<double>(x) - static_cast<double>(q.decode(q.encode(x)));
}

}  // namespace

TEST_CASE("the squared error of a quantizer is what a loop in double finds") {
  for (const Distribution& distribution : distributions()) {
    for (const Index n : {0, 1, 7, 15, 16, 17, 100, 16384, 16385, 50001}) {
      const std::vector<float> values = sample(distribution, 1, n, 9).values;
      Range range;
      for (const float x : values) range = {std::min(range.min, x), std::max(range.max, x), 0};
      for (const float shrink : {1.0f, 0.3f}) {
        const Uniform<4> q = Uniform<4>::fit({range.min * shrink, range.max * shrink, 0});
        double expected = 0;
        for (const float x : values) expected += error(q, x) * error(q, x);
        CAPTURE(distribution.name, n, shrink);
        // A float difference is off by 2^-24 of itself; sums in double by 1e-11 of themselves.
        CHECK(std::fabs(squared_error(q, values) - expected) <= 1.3e-7 * expected);
      }
    }
  }
}

TEST_CASE("the squared error has the same bits for every executor") {
  const std::vector<float> values = random_matrix(1, 100003, 12).values;
  const Uniform<4> q = Uniform<4>::fit({-2, 2, 0});
  const double expected = squared_error(q, values);
  const BackwardsExecutor backwards;
  const FreshThreadsExecutor threads(3);
  CHECK(squared_error(q, values, backwards) == expected);
  CHECK(squared_error(q, values, threads) == expected);
  // Chunks of 16384, each 16 running sums added in a tree: the order that the header promises.
  double sum = 0;
  for (std::size_t begin = 0; begin < values.size(); begin += 16384) {
    double lanes[16] = {};
    for (std::size_t i = begin; i < std::min(begin + 16384, values.size()); ++i) {
      const float difference = values[i] - simd::pinned(q.decode(q.encode(values[i])));
      lanes[(i - begin) % 16] += static_cast<double>(difference) * static_cast<double>(difference);
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
      for (std::size_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
    }
    sum += lanes[0];
  }
  CHECK(sum == expected);
}

TEST_CASE("a weight counts a value as often as it says") {
  const std::vector<float> values = random_matrix(1, 320, 13).values;
  std::vector<float> weights(values.size());
  const Uniform<4> q = Uniform<4>::fit({-2, 2, 0});
  double expected = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    weights[i] = i % 5 == 0 ? 0.0f : std::exp2(static_cast<float>(i % 40)) + 0.25f;
    expected += static_cast<double>(weights[i]) * error(q, values[i]) * error(q, values[i]);
  }
  // As above, and squares cut to 29 bits, 2^-28 of themselves.
  CHECK(std::fabs(weighted_squared_error(q, values, weights) - expected) <= 1.4e-7 * expected);
  CHECK(weighted_squared_error(q, {}, {}) == 0);
}

TEST_CASE("of candidates the first of least squared error is found") {
  const std::vector<float> values{0.0f, 0.5f, 1.0f, -0.5f};
  const std::vector<Uniform<4>> candidates{{2.0f, 8}, {0.5f, 8}, {0.25f, 8}, {0.3f, 8}};
  const auto best = least_squared_error<Uniform<4>>(candidates, values);
  CHECK(best.quantizer == candidates[1]);  // the next one is exact as well
  CHECK(best.error == 0);
  CHECK(least_squared_error<Uniform<4>>({candidates[3]}, values).error == squared_error(candidates[3], values));
}

TEST_CASE("chunked sums call each chunk once and add in order") {
  const BackwardsExecutor backwards;
  for (const Index count : {0, 1, 9, 10, 11, 95}) {
    const auto part = [](Index begin, Index end) {
      return std::ldexp(1.0, static_cast<int>(begin)) + static_cast<double>(end - begin) * 0.1;
    };
    double expected = 0;
    for (Index begin = 0; begin < count; begin += 10) expected += part(begin, std::min<Index>(begin + 10, count));
    if (count == 0) expected = part(0, 0);
    CHECK(chunked_sum(backwards, count, 10, part) == expected);
    CHECK(chunked_sum({}, count, 10, part) == expected);
  }
}
