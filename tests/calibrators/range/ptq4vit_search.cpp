#include "halfstep/calibrators/range/ptq4vit_search.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "calibrators/range/output_reference.hpp"
#include "calibrators/range/samples.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

struct SearchedLayer {
  FloatMatrix x = sample(distributions()[2], 40, 12, 1), w = random_matrix(6, 12, 2, 0.2f),
              gradient = random_matrix(40, 6, 3);
  ObservedProduct product{.lhs = x.view(), .rhs = w.view(), .gradient = gradient.view()};

  template <class L, class R>
  [[nodiscard]] double loss(OutputMetric metric, const L& lhs, const std::vector<R>& rhs) const {
    return reference_losses(
        {product}, [&](std::size_t, Index, float v) { return lhs.decode(lhs.encode(v)); },
        [&](std::size_t, Index r, float v) {
          const R& q = rhs.at(static_cast<std::size_t>(r) * rhs.size() / 6);
          return q.decode(q.encode(v));
        },
        metric, 1, [](std::size_t, Index, Index) { return std::size_t{0}; })[0];
  }
};

}  // namespace

TEST_CASE("PTQ4ViT's first values") {
  CHECK(Ptq4vitFit<Uniform<4>>()(Range{-3, 1, 0}) == Uniform<4>{3 / 7.5f, 8});
  CHECK(Ptq4vitFit<TwinGelu<4>>()(Range{-0.1f, 3, 0}) == TwinGelu<4>{3 / 7.5f, gelu_shift / 8});
}

TEST_CASE("PTQ4ViT's search lowers every metric, for blocks of outputs and both kinds of input") {
  const SearchedLayer layer;
  for (const OutputMetric metric : all_metrics()) {
    const auto found = ptq4vit_linear<4, Uniform<4>>(layer.product, {.weight_blocks = 3, .metric = metric});
    CAPTURE(static_cast<int>(metric));
    CHECK(found.is_complete);
    CHECK(found.rhs.size() == 3);
    CHECK(found.losses.size() == 6);
    const double loss = layer.loss(metric, found.lhs.at(0), found.rhs);
    CHECK(found.losses.back() == Approx(loss).epsilon(1e-4));
    const auto blocks = [&](Operand operand, const ProductTiling& tiling) {
      return fit_operand<Uniform<4>>("test", {&layer.product, 1}, operand, tiling, ptq4vit_fit<4>, {});
    };
    CHECK(loss < layer.loss(metric, blocks(Operand::lhs, {}).at(0), blocks(Operand::rhs, per_row_block(2))));
    const auto twin = ptq4vit_linear<4, TwinGelu<4>>(layer.product, {.metric = metric});
    CHECK(twin.rhs.size() == 1);
    CHECK(twin.lhs.at(0).negative_scale == gelu_shift / 8);
  }
}

TEST_CASE("PTQ4ViT's searches for attention: scales by head, one split for all") {
  FloatMatrix p = random_matrix(24, 12, 4, 3), v = random_matrix(24, 10, 5), q = random_matrix(24, 10, 6);
  softmax(p.view());
  std::vector<ObservedProduct> values, keys;
  for (Index i = 0; i < 2; ++i) {
    values.push_back(
        {.lhs = p.view().row_range(i * 12, 12), .rhs = transposed(v.view().row_range(i * 12, 12)), .head = i});
    keys.push_back({.lhs = q.view().row_range(i * 12, 12), .rhs = v.view().row_range(i * 12, 12), .head = i});
  }
  const Ptq4vitOptions squared{.metric = OutputMetric::squared};
  const auto split = ptq4vit_softmax<6, 6>(values, squared);
  CHECK(split.lhs.size() == 1);
  CHECK(split.lhs[0].largest == 1);
  CHECK(split.rhs.size() == 2);
  // The split is chosen beside float values: later rounds choose it again.
  CHECK(split.losses.at(0) == split.losses.at(2));
  const OutputLoss<TwinSoftmax<6>> loss(values, {}, {.tiling = Heads::together});
  for (const TwinSoftmax<6>& other : ptq4vit_splits<6>()) {
    double one = 0;
    loss({&other, 1}, {&one, 1});
    CHECK(split.losses[0] <= one);
  }
  ThreadPool pool(3);
  const auto found = ptq4vit_attention<4, 4>(keys, squared);
  CHECK(found.lhs.size() == 2);
  CHECK(found.rhs.size() == 2);
  CHECK(found.losses.back() <= found.losses.front());
  Ptq4vitOptions threaded = squared;
  threaded.executor = pool;
  CHECK(ptq4vit_attention<4, 4>(keys, threaded).losses == found.losses);
}

TEST_CASE("PTQ4ViT's searches say what is wrong, and can be cancelled") {
  SearchedLayer layer;
  const auto stop = [](const Progress& p) { return p.done < 100; };
  const auto cancelled = ptq4vit_linear<4, Uniform<4>>(layer.product, {.progress = stop});
  CHECK(!cancelled.is_complete);
  CHECK(cancelled.losses.size() == 1);
  CHECK_RAISES((ptq4vit_linear<4, Uniform<4>>(layer.product, {.rounds = 0})), "rounds is 0, expected at least 1");
  CHECK_RAISES((ptq4vit_linear<4, Uniform<4>>(layer.product, {.weight_blocks = 4})),
               "ptq4vit_linear: weight_blocks is 4, expected a divisor of the 6 rows of rhs");
  ObservedProduct no_gradient = layer.product;
  no_gradient.gradient = {};
  CHECK_RAISES((ptq4vit_linear<4, Uniform<4>>(no_gradient)),
               "gradient of product 0 has shape [0, 0], expected [40, 6]");
  CHECK_RAISES((ptq4vit_softmax<4, 4>({})), "ptq4vit_softmax: products is empty");
  CHECK_RAISES((ptq4vit_attention<4, 4>({})), "ptq4vit_attention: products is empty");
  layer.w.values[3] = std::numeric_limits<float>::infinity();
  CHECK_RAISES((ptq4vit_linear<4, Uniform<4>>(layer.product)),
               "ptq4vit_linear: rhs is not finite: row 0, column 3 is inf");
}
