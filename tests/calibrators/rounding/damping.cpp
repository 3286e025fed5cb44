#include "halfstep/calibrators/rounding/damping.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "halfstep/calibrators/rounding/gptq.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// A Hessian, and the rung that it must end on.
struct DampingCase {
  HessianAccumulator hessian;
  DampingOptions options;
  DampingRung rung;
  Index rank = -1;  ///< -1: not known
};

constexpr std::size_t kinds = 9;

FloatMatrix tokens_of(std::mt19937& random, Index tokens, Index channels, float unit) {
  FloatMatrix x = random_matrix(tokens, channels, static_cast<std::uint32_t>(random()));
  for (float& value : x.values) value *= unit;
  return x;
}

/// A stored matrix with 1 on the diagonal, but for its corner [[a, b], [b, c]].
HessianAccumulator with_corner(Index channels, float a, float b, float c) {
  FloatMatrix h(channels, channels);
  for (Index i = 0; i < channels; ++i) h.view()(i, i) = 1;
  h.view()(0, 0) = a;
  h.view()(1, 1) = c;
  h.view()(0, 1) = h.view()(1, 0) = b;
  return HessianAccumulator::of_matrix(h.view(), 1, 1);
}

DampingCase make_case(std::size_t kind, std::mt19937& random) {
  const Index channels = 2 + static_cast<Index>(random() % 30);
  const float unit = std::pow(10.0f, static_cast<float>(random() % 601) / 10.0f - 30.0f);  // 1e-30 to 1e30
  HessianAccumulator h(channels);
  switch (kind) {
    case 0:  // no data
      return {h, {}, DampingRung::nearest, 0};
    case 1:  // only zeros
      h.add(FloatMatrix(3, channels).view());
      return {h, {}, DampingRung::nearest, 0};
    case 2:  // rank 1
      h.add(tokens_of(random, 1, channels, unit).view());
      return {h, {}, DampingRung::first, 1};
    case 3: {  // fewer tokens than channels
      const Index tokens = 1 + static_cast<Index>(random()) % channels;
      h.add(tokens_of(random, tokens, channels, unit).view());
      return {h, {}, DampingRung::first};
    }
    case 4: {  // duplicated and dead channels
      FloatMatrix x = tokens_of(random, 40, channels, unit);
      const Index twin = static_cast<Index>(random()) % channels, dead = (twin + 1) % channels;
      for (Index t = 0; t < 40; ++t) {
        x.view()(t, (twin + 2) % channels) = x(t, twin);
        x.view()(t, dead) = 0;
      }
      h.add(x.view());
      return {h, {}, DampingRung::first};
    }
    case 5: {  // singular, exactly: powers of two, and no damping at first
      FloatMatrix x(1, channels);
      for (float& value : x.values)
        value = std::ldexp(random() % 2 != 0 ? 1.0f : -1.0f, static_cast<int>(random() % 5));
      h.add(x.view());
      return {h, {.share = 0}, DampingRung::more, 1};
    }
    case 6:  // the mean of the diagonal is 0: no share of it helps
      return {with_corner(2, 1, 0, -1), {}, DampingRung::floor};
    case 7:  // far from definite
      return {with_corner(channels, 1, 10 + static_cast<float>(random() % 90), 1), {}, DampingRung::raised};
    default:  // ordinary
      h.add(tokens_of(random, 3 * channels, channels, unit).view());
      return {h, {.share = 0.05}, DampingRung::first, channels};
  }
}

/// Whether H + share mean(diag H) I is positive definite, by a plain Cholesky factorization in double.
bool is_positive_definite(const HessianAccumulator& hessian, double share) {
  const Index n = hessian.channels();
  double mean = 0;
  Index live = 0;
  for (Index c = 0; c < n; ++c) {
    mean += hessian.sum()(c, c);
    live += hessian.sum()(c, c) != 0;
  }
  if (live == 0) return false;
  mean /= static_cast<double>(live);
  std::vector<double> l(static_cast<std::size_t>(n * n), 0.0);
  const auto at = [&](Index i, Index j) -> double& { return l[static_cast<std::size_t>(i * n + j)]; };
  for (Index j = 0; j < n; ++j) {
    for (Index i = j; i < n; ++i) {
      const Index a = n - 1 - i, b = n - 1 - j;
      double sum = hessian.sum()(a, b);
      if (i == j) sum = (sum == 0 ? mean : sum) + share * mean;
      for (Index k = 0; k < j; ++k) sum -= at(i, k) * at(j, k);
      if (i == j && !(sum > 0)) return false;
      at(i, j) = i == j ? std::sqrt(sum) : sum / at(j, j);
    }
  }
  return true;
}

}  // namespace

TEST_CASE("damping: 10000 random Hessians all end with valid codes, each on its rung") {
  std::mt19937 random(20241);
  std::array<Index, 5> expected{}, found{};
  Index invalid = 0, wrong_rank = 0, wrong_first = 0;
  for (std::size_t i = 0; i < 10000; ++i) {
    const DampingCase c = make_case(i % kinds, random);
    const Index channels = c.hessian.channels();
    const FloatMatrix w = random_matrix(3, channels, static_cast<std::uint32_t>(i));
    const auto result = gptq<Uniform<4>>(
        w.view(), c.hessian, {.act_order = i % 2 != 0, .damping = c.options, .row_guard = RowGuard::nearest});
    ++expected[static_cast<std::size_t>(c.rung)];
    ++found[static_cast<std::size_t>(result.report.rung)];
    if (result.report.rung != c.rung) UNSCOPED_INFO("kind " << i % kinds << ", number " << i);
    wrong_rank += c.rank >= 0 && result.report.rank != c.rank;
    wrong_first += is_positive_definite(c.hessian, c.options.share) != (result.report.rung == DampingRung::first);
    for (Index r = 0; r < 3; ++r) {
      for (Index k = 0; k < channels; ++k) {
        // Codes are valid by their width; what they stand for is finite and no further than the grid reaches.
        const float value = result.matrix.value(r, k);
        const Uniform<4> q = result.matrix.quantizer_at(r, k);
        invalid += !(std::fabs(value) <= 15 * q.scale) || !(q.scale > 0) || !(q.scale < 1);
      }
      invalid += !std::isfinite(result.report.row_losses[static_cast<std::size_t>(r)]);
    }
    invalid += !std::isfinite(result.report.damping) || !std::isfinite(result.report.condition);
  }
  CHECK(invalid == 0);
  CHECK(wrong_rank == 0);
  CHECK(wrong_first == 0);
  CHECK(found == expected);
  CHECK(std::all_of(expected.begin(), expected.end(), [](Index count) { return count > 1000; }));
}

TEST_CASE("damping: the least share that will do") {
  // [[1, b], [b, 1]] is definite with a share above b - 1.
  const HessianAccumulator hessian = with_corner(2, 1, 1.234f, 1);
  const Curvature h(hessian, DeadDiagonal::mean);
  const std::vector<Index> order{0, 1};
  LowerFactor<double> factor(2);
  const Damping found = DampingLadder(h, order, {}, factor, {}).climb();
  CHECK(found.rung == DampingRung::more);
  CHECK(found.share == Approx(0.24).epsilon(1e-12));
  const Damping coarse = DampingLadder(h, order, {.step = 0.1}, factor, {}).climb();
  CHECK(coarse.share == Approx(0.31).epsilon(1e-12));
  const Damping limited = DampingLadder(h, order, {.limit = 0.2}, factor, {}).climb();
  CHECK(limited.rung == DampingRung::floor);  // with 0.1 of the largest, a share above 0.134 is enough
  CHECK(limited.floor == Approx(0.1 * h.largest()));
  CHECK(limited.share == Approx(0.14).epsilon(1e-12));
  const Damping none = DampingLadder(h, order, {.limit = 0}, factor, {}).climb();
  CHECK(none.rung == DampingRung::raised);
  CHECK(none.share == 0.01);
}

TEST_CASE("damping: condition and rank") {
  FloatMatrix diagonal(4, 4);
  for (Index i = 0; i < 4; ++i) diagonal.view()(i, i) = static_cast<float>(1 << (2 * i));
  const HessianAccumulator hessian = HessianAccumulator::of_matrix(diagonal.view(), 1, 4);
  const Curvature h(hessian, DeadDiagonal::mean);
  CHECK(rank_of(h, {}) == 4);
  LowerFactor<double> factor(4);
  const std::vector<Index> order{0, 1, 2, 3};
  REQUIRE(DampingLadder(h, order, {.share = 0}, factor, {}).climb().rung == DampingRung::first);
  CHECK(condition_estimate(factor) == Approx(64));

  for (const Index tokens : {1, 40, 96, 140, 400}) {  // as many as channels leave eigenvalues of about channels^-2
    CAPTURE(tokens);
    HessianAccumulator few(160);
    few.add(random_matrix(tokens, 160, static_cast<std::uint32_t>(tokens)).view());
    CHECK(rank_of(Curvature(few, DeadDiagonal::mean), {}) == std::min<Index>(tokens, 160));
  }
  FloatMatrix twins = random_matrix(300, 50, 6);
  for (Index t = 0; t < 300; ++t) {
    twins.view()(t, 10) = -3 * twins(t, 40);
    twins.view()(t, 11) = twins(t, 20) + twins(t, 30);
    twins.view()(t, 0) = 0;
  }
  HessianAccumulator dependent(50);
  dependent.add(twins.view());
  CHECK(rank_of(Curvature(dependent, DeadDiagonal::one), {}) == 47);
}
