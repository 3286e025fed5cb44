// Agreement with golden/uniform.safetensors and golden/twin.safetensors, the searches by output error: the same
// candidate as the authors' program (scales within 2e-6), or a score within 1e-4 of the stored one. Stored scores are
// sums over the batch of mean similarities; losses here are means over everything with the other sign, 1 less the
// cosine.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "calibrators/range/golden_stack.hpp"
#include "halfstep/calibrators/range/output_search.hpp"
#include "halfstep/calibrators/range/ptq4vit_search.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/close.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

OutputMetric metric_of(std::string_view name) {
  if (name == "hessian") return OutputMetric::hessian;
  if (name == "L2_norm") return OutputMetric::squared;
  if (name == "L1_norm") return OutputMetric::absolute;
  if (name == "linear_weighted_L2_norm") return OutputMetric::linear_weighted;
  if (name == "square_weighted_L2_norm") return OutputMetric::square_weighted;
  REQUIRE(name == "cosine");
  return OutputMetric::cosine;
}

double mean(const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) sum += static_cast<double>(x);
  return sum / static_cast<double>(values.size());
}

/// A mean loss as the score that the files store.
double score(double loss, OutputMetric metric, Index batch) {
  return static_cast<double>(batch) * (metric == OutputMetric::cosine ? 1 - loss : -loss);
}

template <class Q>
bool same_scales(const std::vector<Q>& quantizers, const std::vector<float>& scales) {
  REQUIRE(quantizers.size() == scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (!close(quantizers[i].scale, scales[i], 2e-6)) return false;
  }
  return true;
}

/// The output that the scores are about is the float product's own, which is not handed to the searches.
void check_output(MatrixView<const float> x, MatrixView<const float> w, const std::vector<float>& bias,
                  MatrixView<const float> y) {
  std::size_t wrong = 0;
  for (Index t = 0; t < x.rows; ++t) {
    for (Index o = 0; o < w.rows; ++o) {
      double sum = bias.empty() ? 0.0 : static_cast<double>(bias.at(static_cast<std::size_t>(o))),
             size = std::fabs(sum);
      for (Index k = 0; k < x.cols; ++k) {
        const double term = static_cast<double>(x(t, k)) * static_cast<double>(w(o, k));
        sum += term;
        size += std::fabs(term);
      }
      const double rounding = static_cast<double>(x.cols + 1) * 0x1p-24 * size;  // of a float sum in any order
      wrong += std::fabs(static_cast<double>(y(t, o)) - sum) > rounding;
    }
  }
  CHECK(wrong == 0);
}

/// Twin GELU as published: negative codes reach -n, which this form of a code holds, as it has one zero.
template <int Bits>
struct PublishedTwinGelu {
  static constexpr int bits = Bits;
  static constexpr std::int32_t half = 1 << (Bits - 1);
  float scale = 1;
  float negative_scale = 1;
  friend bool operator==(const PublishedTwinGelu&, const PublishedTwinGelu&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    const auto positive = simd::round_clamp(x / T(scale), 0.0f, static_cast<float>(half - 1));
    const auto negative = simd::round_clamp(x / T(negative_scale), -static_cast<float>(half), 0.0f);
    return positive + negative + simd::IntOf<T>(half);
  }
  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const F steps = simd::to_float(code - C(half));
    return steps * simd::select(steps < F(0.0f), F(negative_scale), scale);
  }
  [[nodiscard]] static PublishedTwinGelu fit(Range range) {
    const TwinGelu<Bits> q = Ptq4vitFit<TwinGelu<Bits>>()(range);
    return {q.scale, q.negative_scale};
  }
};

/// Twin softmax as published, the sum of two clamped halves: one of them is at its end in every code.
template <int Bits>
struct PublishedTwinSoftmax {
  static constexpr int bits = Bits;
  static constexpr std::int32_t half = 1 << (Bits - 1);
  std::int32_t shift = 0;
  friend bool operator==(const PublishedTwinSoftmax&, const PublishedTwinSoftmax&) = default;

  [[nodiscard]] float split() const { return std::ldexp(1.0f, -shift); }
  [[nodiscard]] Uniform<Bits - 1> fine() const { return {split() / static_cast<float>(half - 1), 0}; }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    const auto is_coarse = x >= T(split());
    const auto coarse = simd::round_clamp(x * T(static_cast<float>(half - 1)), 0.0f, static_cast<float>(half - 1));
    return simd::select(is_coarse, coarse + Int(half), fine().encode(x));
  }
  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    using F = simd::FloatOf<C>;
    const F payload = simd::to_float(code & C(half - 1));
    const float least = std::nearbyint(split() * static_cast<float>(half - 1)) / static_cast<float>(half - 1);
    return simd::select(code >= C(half), payload / F(static_cast<float>(half - 1)) + F(split()),
                        payload * F(fine().scale) + F(least));
  }
  [[nodiscard]] static PublishedTwinSoftmax fit(Range) { return {}; }
};

template <class Q>
void check_split(const Golden& g, std::span<const ObservedProduct> products, Index batch, const std::vector<Q>& splits,
                 const std::string& scores_name, const std::string& k_name) {
  const std::vector<double> scores = g.values<double>(scores_name);
  REQUIRE(scores.size() == splits.size());
  const OutputLossOptions options{.operand = Operand::lhs, .tiling = Heads::together, .metric = OutputMetric::hessian};
  const OutputLoss<Q> loss(products, {}, options);
  for (std::size_t i = 0; i < splits.size(); ++i) {
    double one = 0;
    loss({&splits[i], 1}, {&one, 1});
    CHECK(close(score(one, options.metric, batch), scores[i], 1e-4));
  }
  const auto best =
      output_search(products, Candidates<Q>(splits), {.tiling = Heads::together, .metric = OutputMetric::hessian});
  const auto k = g.scalar<std::int32_t>(k_name);
  if (best.choices.at(0).index != k) {
    CHECK(close(score(best.choices[0].loss, options.metric, batch), scores[static_cast<std::size_t>(k)], 1e-4));
  }
}

}  // namespace

TEST_CASE("golden: ptq4vit searches a linear layer", "[golden]") {
  const Golden g("uniform");
  const GoldenStack x(g, "ptq4vit.x"), w(g, "ptq4vit.w"), gradient(g, "ptq4vit.grad"), y(g, "ptq4vit.raw_out");
  const std::vector<float> bias = g.values<float>("ptq4vit.bias");
  for (const GoldenCase& c : g.cases("ptq4vit.*.b*.nV*.w_scale")) {
    CAPTURE(c.name);
    const OutputMetric metric = metric_of(c.parts.at(0));
    if (!with_value<4, 6, 8>(c.number(1), [&](auto bits) {
          const auto found = ptq4vit_linear<bits(), Uniform<bits()>>(
              {.lhs = x.all(), .rhs = w.all(), .bias = bias, .gradient = gradient.all()},
              {.weight_blocks = c.number(2), .metric = metric});
          const auto a_scale = g.values<float>(c.prefix + "a_scale");
          CHECK(found.is_complete);
          CHECK(found.losses.size() == 6);
          const bool is_same = same_scales(found.rhs, g.values<float>(c.name)) && same_scales(found.lhs, a_scale);
          const double of_weights = score(found.losses.at(4), metric, x.count);
          const double of_input = score(found.losses.at(5), metric, x.count);
          CAPTURE(is_same, of_weights, of_input);
          CHECK(close(of_weights, mean(g.values<float>(c.prefix + "score_w")), 1e-4));
          CHECK(close(of_input, mean(g.values<float>(c.prefix + "score_a")), 1e-4));
        })) {
      FAIL("4, 6 or 8 bits");
    }
  }
  check_output(x.all(), w.all(), bias, y.all());
  g.require_consumed("ptq4vit.*");
}

TEST_CASE("golden: twin scales after GELU", "[golden]") {
  const Golden g("twin");
  const GoldenStack x(g, "gelu_search.x"), w(g, "gelu_search.w"), gradient(g, "gelu_search.grad"),
      y(g, "gelu_search.raw_out");
  const std::vector<float> bias = g.values<float>("gelu_search.bias");
  for (const GoldenCase& c : g.cases("gelu_search.b*.a_scale")) {
    CAPTURE(c.name);
    if (!with_value<4, 6, 8>(c.number(), [&](auto bits) {
          using A = PublishedTwinGelu<bits()>;
          const auto found = ptq4vit_linear<bits(), A>(
              {.lhs = x.all(), .rhs = w.all(), .bias = bias, .gradient = gradient.all()}, {}, LibraryFit<A>());
          const bool is_same = same_scales(found.lhs, g.values<float>(c.name)) &&
                               same_scales(found.rhs, g.values<float>(c.prefix + "w_scale"));
          CAPTURE(is_same);
          const double expected = g.scalar<float>(c.prefix + "score_a");
          CHECK(close(score(found.losses.back(), OutputMetric::hessian, x.count), expected, 1e-4));
        })) {
      FAIL("4, 6 or 8 bits");
    }
  }
  check_output(x.all(), w.all(), bias, y.all());
  g.require_consumed("gelu_search.*");
}

TEST_CASE("golden: twin splits after softmax", "[golden]") {
  const Golden g("twin");
  const GoldenStack a(g, "softmax_search.A"), v(g, "softmax_search.V"), gradient(g, "softmax_search.grad"),
      y(g, "softmax_search.raw_out");
  std::vector<ObservedProduct> products = attention_products(a, v);
  for (std::size_t p = 0; p < products.size(); ++p) products[p].gradient = gradient.at(static_cast<Index>(p));
  for (const GoldenCase& c : g.cases("softmax_search.b*.scores")) {
    CAPTURE(c.name);
    if (!with_value<4, 6, 8>(c.number(), [&](auto bits) {
          check_split(g, products, a.shape[0], ptq4vit_splits<bits()>(), c.name, c.prefix + "k");
          std::vector<PublishedTwinSoftmax<bits()>> published;
          for (int shift = 0; shift < 20; ++shift) published.push_back({shift});
          check_split(g, products, a.shape[0], published, c.prefix + "pub_scores", c.prefix + "pub_k");
          // The first turn of the whole search is this one, and no other follows it in one round.
          const auto found = ptq4vit_softmax<bits(), 8>(products, {.rounds = 1});
          CHECK(found.lhs.at(0).shift == g.scalar<std::int32_t>(c.prefix + "k"));
        })) {
      FAIL("4, 6 or 8 bits");
    }
  }
  for (std::size_t p = 0; p < products.size(); ++p) {
    check_output(products[p].lhs, products[p].rhs, {}, y.at(static_cast<Index>(p)));
  }
  g.require_consumed("softmax_search.*");
}
