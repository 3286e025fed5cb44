// Agreement with golden/gptaq.safetensors: GPTAQ, group-aware order and the ladder of damping, as a published program
// computed them. Rules of the index: all codes equal, from stored or own sums (which agree to 1e-5); permutations
// equal, damping to 1e-5; U to 1e-3 of its largest element. Scales to 1e-5, those of groups fitted during the sweep
// 1e-4.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/rounding/gptq.hpp"
#include "support/catch.hpp"
#include "support/close.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

struct GptaqLayer {
  LoadedMatrix<float> w, quantized, original;
  HessianAccumulator own, stored;
  InputDifference own_difference, stored_difference;

  explicit GptaqLayer(const Golden& file)
      : w(file.matrix("gptaq.W")),
        quantized(file.matrix("gptaq.Xq")),
        original(file.matrix("gptaq.Xfp")),
        own(w.cols),
        stored(w.cols),
        own_difference(w.cols),
        stored_difference(w.cols) {
    const Index sequences = file.shape("gptaq.Xq").at(0), length = quantized.rows / sequences;
    for (Index s = 0; s < sequences; ++s) {
      const auto x = quantized.view().row_range(s * length, length), f = original.view().row_range(s * length, length);
      own.add(x);
      own_difference.add(x, f);
    }
    const LoadedMatrix<float> h = file.matrix("gptaq.H"), d = file.matrix("gptaq.dXXT");
    stored = HessianAccumulator::of_matrix(h.view(), sequences, quantized.rows);
    stored_difference = InputDifference::of_matrix(d.view(), sequences, quantized.rows);
    double largest_h = 0, largest_d = 0;
    for (Index i = 0; i < w.cols; ++i) {
      for (Index j = 0; j < w.cols; ++j) {
        largest_h = std::max(largest_h, std::fabs(static_cast<double>(h.view()(i, j))));
        largest_d = std::max(largest_d, std::fabs(static_cast<double>(d.view()(i, j))));
      }
    }
    for (Index i = 0; i < w.cols; ++i) {
      for (Index j = 0; j < w.cols; ++j) {  // sums of both signs: 1e-5 of the largest
        const double factor = own.published_factor();
        CHECK(close(factor * own.sum()(i, j), static_cast<double>(h.view()(i, j)), 1e-5, 1e-5 * largest_h));
        CHECK(close(factor * own_difference(i, j), static_cast<double>(d.view()(i, j)), 1e-5, 1e-5 * largest_d));
      }
    }
  }

  /// sum |Xq Q^T - Xfp W^T|^2.
  template <class Q>
  [[nodiscard]] double output_error(const QuantizedMatrix<Q>& q) const {
    double sum = 0;
    for (Index t = 0; t < quantized.rows; ++t) {
      for (Index r = 0; r < w.rows; ++r) {
        double y = 0;
        for (Index c = 0; c < w.cols; ++c) {
          y += static_cast<double>(quantized.view()(t, c)) * static_cast<double>(q.value(r, c)) -
               static_cast<double>(original.view()(t, c)) * static_cast<double>(w.view()(r, c));
        }
        sum += y * y;
      }
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("golden: gptaq", "[golden]") {
  const Golden file("gptaq");
  const GptaqLayer layer(file);
  for (const GoldenCase& c : file.cases("gptaq.*.cfg")) {
    const std::string name = c.prefix.substr(0, c.prefix.size() - 1);
    CAPTURE(name);
    const std::vector<int> cfg = file.values<int>(c.name);
    REQUIRE(cfg.size() == 5);
    GptqOptions options;
    options.group_size = std::max(cfg[2], 0);
    options.act_order = cfg[3] != 0;
    options.group_fit = cfg[4] != 0 ? GroupFit::before : GroupFit::during;
    options.damping = {.share = 0.01, .dead_diagonal = DeadDiagonal::one};
    options.alpha = 0.25;
    const bool fits_during_sweep = options.group_size > 0 && cfg[4] == 0;
    const std::vector<int> codes = file.values<int>(name + ".codes"), g_idx = file.values<int>(name + ".g_idx");
    const std::vector<double> errors = file.values<double>(name + ".asym64");
    const LoadedMatrix<float> deq = file.matrix(name + ".deq"), scale = file.matrix(name + ".scale"),
                              zero = file.matrix(name + ".zero");
    with_bits(cfg[0], [&](auto bits) {
      constexpr int Bits = bits();
      const auto rule = cfg[1] != 0 ? gptq_symmetric_fit<Bits> : gptq_fit<Bits>;
      const auto check = [&](const HessianAccumulator& h, const InputDifference& d) {
        options.float_path = &d;
        const auto q = gptq<Uniform<Bits>>(layer.w.view(), h, options, rule).matrix;
        const double tolerance = fits_during_sweep ? 1e-4 : 1e-5;
        Index wrong_codes = 0, wrong_values = 0, wrong_parameters = 0;
        for (Index r = 0; r < layer.w.rows; ++r) {
          for (Index col = 0; col < layer.w.cols; ++col) {
            const Index g = scale.cols == 1 ? 0 : g_idx[static_cast<std::size_t>(col)];
            const Uniform<Bits> used = q.quantizer_at(r, col);
            wrong_codes += q.code(r, col) != codes[static_cast<std::size_t>(r * layer.w.cols + col)];
            wrong_values += !close(q.value(r, col), static_cast<double>(deq.view()(r, col)), tolerance);
            wrong_parameters += q.grid().col_tile(col) != g ||
                                !close(used.scale, static_cast<double>(scale.view()(r, g)), tolerance) ||
                                static_cast<float>(used.zero_point) != zero.view()(r, g);
          }
        }
        CHECK(wrong_codes == 0);
        CHECK(wrong_values == 0);
        CHECK(wrong_parameters == 0);
        CHECK(close(layer.output_error(q), errors.at(0), 1e-4));
        options.alpha = 0;  // plain GPTQ, which the file has the error of
        const auto plain = gptq<Uniform<Bits>>(layer.w.view(), h, options, rule).matrix;
        CHECK(close(layer.output_error(plain), errors.at(2), 1e-4));
        options.alpha = 0.25;
      };
      check(layer.stored, layer.stored_difference);
      check(layer.own, layer.own_difference);
    });
  }
  file.require_consumed("gptaq.*");
}

TEST_CASE("golden: group-aware order", "[golden]") {
  const Golden file("gptaq");
  const std::vector<float> diagonal = file.values<float>("gar.diag");
  const std::vector<int> perm = file.values<int>("gar.perm");
  const std::vector<double> values(diagonal.begin(), diagonal.end());
  // The group is not stored. Groups stay contiguous but for the tail: it is the one size that gives this permutation.
  Index matching = 0;
  for (Index group = 2; group < static_cast<Index>(values.size()); ++group) {
    const std::vector<Index> order = group_aware_order(values, group);
    matching += std::equal(order.begin(), order.end(), perm.begin(), perm.end(), [](Index a, int b) { return a == b; });
  }
  CHECK(matching == 1);
}

TEST_CASE("golden: the ladder of damping", "[golden]") {
  const Golden file("gptaq");
  const LoadedMatrix<float> h = file.matrix("ladder.H"), expected = file.matrix("ladder.U");
  const HessianAccumulator hessian = HessianAccumulator::of_matrix(h.view(), 1, 1);
  const Curvature curvature(hessian, DeadDiagonal::one);
  const std::vector<Index> order = plain_order(h.cols);
  LowerFactor<double> factor(h.cols);
  const DampingOptions options{.share = 0.05, .dead_diagonal = DeadDiagonal::one};
  const Damping damping = DampingLadder(curvature, order, options, factor, {}).climb();
  CHECK(damping.rung == DampingRung::more);
  CHECK(close(damping.share, file.scalar<float>("ladder.damp"), 1e-5));

  // U = V^-1 where V V^T is the damped Hessian, V upper triangular: the factor read backwards, in the published unit.
  const Index n = h.cols;
  const double root = std::sqrt(curvature.to_published());
  std::vector<double> u(static_cast<std::size_t>(n * n), 0.0);
  const auto v = [&](Index i, Index j) { return root * factor(n - 1 - i, n - 1 - j); };
  const auto at = [&](Index i, Index j) -> double& { return u[static_cast<std::size_t>(i * n + j)]; };
  for (Index j = 0; j < n; ++j) {
    for (Index i = j; i >= 0; --i) {
      double sum = i == j ? 1.0 : 0.0;
      for (Index k = i + 1; k <= j; ++k) sum -= v(i, k) * at(k, j);
      at(i, j) = sum / v(i, i);
    }
  }
  const double largest = *std::max_element(u.begin(), u.end());
  Index wrong = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j)
      wrong += !close(at(i, j), static_cast<double>(expected.view()(i, j)), 0, 1e-3 * largest);
  }
  CHECK(wrong == 0);
}

TEST_CASE("golden: gptaq is consumed", "[golden]") { Golden("gptaq").require_all_consumed_at_end(); }
