#include "halfstep/calibrators/range/adalog_search.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "calibrators/range/output_reference.hpp"
#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <class L, class R>
double loss_of(const ObservedProduct& product, const L& lhs, const std::vector<R>& rhs) {
  return reference_losses(
      {product}, [&](std::size_t, Index, float v) { return lhs.decode(lhs.encode(v)); },
      [&](std::size_t, Index r, float v) {
        const R& q = rhs.at(rhs.size() == 1 ? 0 : static_cast<std::size_t>(r));
        return q.decode(q.encode(v));
      },
      OutputMetric::squared, 1, [](std::size_t, Index, Index) { return std::size_t{0}; })[0];
}

template <int Bits>
std::vector<Uniform<Bits>> min_max_rows(MatrixView<const float> w) {
  std::vector<Uniform<Bits>> quantizers;
  for (Index r = 0; r < w.rows; ++r) {
    RangeStatistic seen;
    for (Index c = 0; c < w.cols; ++c) seen.add(&w.row(r)[c * w.col_stride], 1);
    quantizers.push_back(Uniform<Bits>::fit(seen.range()));
  }
  return quantizers;
}

FloatMatrix probabilities(Index rows, Index cols, std::uint32_t seed) {
  FloatMatrix p = random_matrix(rows, cols, seed, 3);
  softmax(p.view());
  return p;
}

}  // namespace

TEST_CASE("AdaLog's search for a linear layer beats min-max, and finishes") {
  FloatMatrix x = random_matrix(80, 16, 1);
  const FloatMatrix w = random_matrix(12, 16, 2, 0.2f);
  x.values[5] = 12;  // one value far out
  const ObservedProduct layer{.lhs = x.view(), .rhs = w.view()};
  Index last = 0, total = 0;
  const auto count = [&](const Progress& p) {
    CHECK(p.done > last);
    last = p.done;
    total = p.total;
    return true;
  };
  const auto found = adalog_linear<4, 4>(layer, {.progress = count});
  CHECK(last == total);
  CHECK(found.is_complete);
  CHECK(found.rhs.size() == 12);
  CHECK(found.losses.size() == 6);
  const double loss = loss_of(layer, found.lhs.at(0), found.rhs);
  CHECK(found.losses.back() == Approx(loss).epsilon(1e-4));
  RangeStatistic seen;
  seen.add(x.values.data(), 80 * 16);
  CHECK(loss < loss_of(layer, Uniform<4>::fit(seen.range()), min_max_rows<4>(w.view())));
}

TEST_CASE("AdaLog's search after GELU finds a base and a scale that beat the fitted ones") {
  const FloatMatrix x = sample(distributions()[2], 60, 20, 3), w = random_matrix(8, 20, 4, 0.2f);
  const ObservedProduct layer{.lhs = x.view(), .rhs = w.view()};
  Index last = 0, total = 0;
  const auto count = [&](const Progress& p) { return last = p.done, total = p.total, true; };
  const auto found = adalog_gelu<4, AdaLog<4>>(layer, {.progress = count});
  CHECK(last == total);
  CHECK(found.lhs.at(0).shift == gelu_shift);
  CHECK(found.lhs[0].q >= adalog_first_base);
  RangeStatistic seen;
  seen.add(x.values.data(), 60 * 20);
  CHECK(loss_of(layer, found.lhs[0], found.rhs) <
        loss_of(layer, AdaLog<4>::fit(seen.range()), min_max_rows<4>(w.view())));
}

TEST_CASE("AdaLog's searches for attention have one base for all heads, and the rest by head") {
  const FloatMatrix p = probabilities(24, 12, 5), v = random_matrix(24, 12, 6), q = random_matrix(24, 8, 7);
  std::vector<ObservedProduct> values, keys;
  for (Index i = 0; i < 2; ++i) {
    values.push_back(
        {.lhs = p.view().row_range(i * 12, 12), .rhs = transposed(v.view().row_range(i * 12, 12)), .head = i});
    keys.push_back({.lhs = q.view().row_range(i * 12, 12), .rhs = v.view().block(i * 12, 2, 12, 8), .head = i});
  }
  const auto softmax_found = adalog_softmax<AdaLog<4>, 4>(values, {.rounds = 1});
  CHECK(softmax_found.lhs.size() == 1);
  CHECK(softmax_found.lhs[0].scale == 1);
  CHECK(softmax_found.rhs.size() == 2);
  const auto found = adalog_attention<4, 4>(keys, {.rounds = 2});
  CHECK(found.lhs.size() == 2);
  CHECK(found.rhs.size() == 2);
  for (std::size_t h = 0; h < 2; ++h) {
    const double min_max = loss_of(keys[h], min_max_rows<4>({q.view().data + h * 96, 1, 96})[0],
                                   std::vector{Uniform<4>::fit({-2.5f, 2.5f, 0})});
    CHECK(loss_of(keys[h], found.lhs[h], std::vector{found.rhs[h]}) < min_max);
  }
}

TEST_CASE("AdaLog's searches do not depend on the executor, and can be cancelled anywhere") {
  const FloatMatrix x = sample(distributions()[2], 30, 10, 10), w = random_matrix(6, 10, 11, 0.2f);
  const ObservedProduct layer{.lhs = x.view(), .rhs = w.view()};
  ThreadPool pool(3);
  const auto linear = adalog_linear<3, 3>(layer, {.rounds = 1});
  const auto threaded = adalog_linear<3, 3>(layer, {.rounds = 1, .executor = pool});
  CHECK(threaded.lhs == linear.lhs);
  CHECK(threaded.rhs == linear.rhs);
  const auto gelu = adalog_gelu<3, AdaLog<3>>(layer, {.rounds = 1, .executor = pool});
  CHECK(gelu.lhs == adalog_gelu<3, AdaLog<3>>(layer, {.rounds = 1}).lhs);
  for (const Index stop : {1, 800, 1600, 1700, 2400}) {
    const auto until = [&](const Progress& p) { return p.done < stop; };
    const auto found = adalog_linear<3, 3>(layer, {.progress = until});
    CHECK(!found.is_complete);
    CHECK(std::isfinite(loss_of(layer, found.lhs.at(0), found.rhs)));
    const auto log = adalog_gelu<3, AdaLog<3>>(layer, {.progress = until});
    CHECK(!log.is_complete);
    CHECK(std::isfinite(loss_of(layer, log.lhs.at(0), log.rhs)));
  }
}

TEST_CASE("AdaLog's searches take constants and zeros") {
  FloatMatrix zeros(10, 8), ones(5, 8);
  for (float& x : ones.values) x = 1;
  const ObservedProduct layer{.lhs = zeros.view(), .rhs = ones.view()};
  const auto found = adalog_linear<4, 4>(layer, {.rounds = 1});
  CHECK(loss_of(layer, found.lhs.at(0), found.rhs) == 0);
  const auto log = adalog_gelu<4, AdaLog<4>>(layer, {.rounds = 1});
  CHECK(std::isfinite(loss_of(layer, log.lhs.at(0), log.rhs)));
}

TEST_CASE("AdaLog's searches say what is wrong") {
  FloatMatrix x = random_matrix(6, 5, 12);
  const FloatMatrix w = random_matrix(4, 5, 13);
  CHECK_RAISES((adalog_linear<4, 4>({.lhs = x.view(), .rhs = w.view()}, {.rounds = 0})),
               "adalog_linear: rounds is 0, expected at least 1");
  CHECK_RAISES((adalog_linear<4, 4>({.lhs = x.view().row_range(0, 0), .rhs = w.view()})),
               "adalog_linear: lhs of shape [0, 5] has no elements");
  x.values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES((adalog_linear<4, 4>({.lhs = x.view(), .rhs = w.view()})),
               "adalog_linear: lhs is not finite: row 1, column 2 is nan");
  CHECK_RAISES((adalog_gelu<4, AdaLog<4>>({.lhs = x.view(), .rhs = w.view()})), "lhs is not finite: row 1, column 2");
  CHECK_RAISES((adalog_softmax<AdaLog<4>, 4>({})), "adalog_softmax: products is empty");
  CHECK_RAISES((adalog_attention<4, 4>({})), "adalog_attention: products is empty");
}
