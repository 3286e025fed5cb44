// Agreement with golden/adalog.safetensors, the searches. Final losses, recomputed here from the quantizers that were
// found, may exceed the stored ones by 1 % (candidates tie, so parameters may differ); grids 5e-6 of themselves,
// outputs of the stored quantizers 1e-5 of the largest, loss curves 1e-4. Stored losses are sums over the batch of
// means over tokens and features; losses here are means over everything.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "calibrators/range/golden_stack.hpp"
#include "halfstep/calibrators/range/adalog_search.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

using Values = std::vector<float>;

/// `decode(x) decode(w)^T + bias` in double; one quantizer for x, one for all of w or one per row.
template <class L, class R>
std::vector<double> quantized_output(MatrixView<const float> x, MatrixView<const float> w, const Values& bias,
                                     const L& lhs, const std::vector<R>& rhs) {
  std::vector<double> out;
  for (Index t = 0; t < x.rows; ++t) {
    for (Index o = 0; o < w.rows; ++o) {
      const R& q = rhs.at(rhs.size() == 1 ? 0 : static_cast<std::size_t>(o));
      double sum = bias.empty() ? 0.0 : static_cast<double>(bias.at(static_cast<std::size_t>(o)));
      for (Index k = 0; k < x.cols; ++k) {
        sum += static_cast<double>(lhs.decode(lhs.encode(x(t, k)))) * static_cast<double>(q.decode(q.encode(w(o, k))));
      }
      out.push_back(sum);
    }
  }
  return out;
}

double mean_square(const std::vector<double>& out, MatrixView<const float> y) {
  REQUIRE(static_cast<Index>(out.size()) == y.size());
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double error = out[i] - static_cast<double>(y.data[i]);
    sum += error * error;
  }
  return sum / static_cast<double>(out.size());
}

void check_output(const std::vector<double>& out, const Values& stored) {
  REQUIRE(out.size() == stored.size());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(stored[i])));
    difference = std::max(difference, std::fabs(out[i] - static_cast<double>(stored[i])));
  }
  CHECK(difference <= 1e-5 * largest);
}

/// The uniform quantizers `name`_scale, `name`_zp.
template <int Bits>
std::vector<Uniform<Bits>> stored_quantizers(const Golden& g, const std::string& name) {
  const auto scales = g.values<float>(name + "_scale");
  const auto zero_points = g.values<std::int32_t>(name + "_zp");
  REQUIRE(scales.size() == zero_points.size());
  std::vector<Uniform<Bits>> quantizers;
  for (std::size_t i = 0; i < scales.size(); ++i) quantizers.push_back({scales[i], zero_points[i]});
  return quantizers;
}

/// Calls `visit` with the bits of "w4a4" or "s4v4", which both operands share.
template <class Visit>
void with_bits_of(const std::string& part, Visit visit) {
  REQUIRE(part.size() == 4);
  REQUIRE(part[1] == part[3]);
  if (!with_value<2, 3, 4, 5, 6>(part[1] - '0', visit)) FAIL("2 to 6 bits");
}

/// Compares the first few granules of a grid, those that are stored.
template <int Bits>
void check_grid(const Golden& g, const std::string& name, const ProgressiveGrid<Uniform<Bits>>& grid) {
  const auto stored = stored_quantizers<Bits>(g, name);
  const auto granules = static_cast<std::size_t>(g.shape(name + "_scale").at(1));
  REQUIRE(stored.size() == static_cast<std::size_t>(grid.candidates.count()) * granules);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const Uniform<Bits>& q = grid.candidates.at(static_cast<Index>(i / granules), static_cast<Index>(i % granules));
    const bool is_close = std::fabs(q.scale - stored[i].scale) <= 5e-6f * stored[i].scale;
    wrong += !is_close || q.zero_point != stored[i].zero_point;
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("golden: adalog searches a linear layer", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("fpcs_linear.*.x")) {
    CAPTURE(c.name);
    const GoldenStack x(g, c.name), w(g, c.prefix + "w"), y(g, c.prefix + "raw_out");
    const Values bias = g.values<float>(c.prefix + "bias");
    const double batch = static_cast<double>(x.count), stored = g.scalar<double>(c.prefix + "loss");
    with_bits_of(c.parts.at(0), [&](auto bits) {
      constexpr int b = bits();
      const std::vector<ObservedProduct> layer = {{.lhs = x.all(), .rhs = w.all(), .bias = bias}};
      const auto found = adalog_linear<b, b>(layer[0]);
      CHECK(found.is_complete);
      const double loss = mean_square(quantized_output(x.all(), w.all(), bias, found.lhs.at(0), found.rhs), y.all());
      CHECK(batch * loss <= 1.01 * stored);
      CHECK(found.losses.back() == Approx(loss).epsilon(1e-4));

      const auto input = stored_quantizers<b>(g, c.prefix + "a");
      const auto out = quantized_output(x.all(), w.all(), bias, input.at(0), stored_quantizers<b>(g, c.prefix + "w"));
      check_output(out, g.values<float>(c.prefix + "out"));
      CHECK(batch * mean_square(out, y.all()) == Approx(stored).epsilon(1e-4));
      check_grid(g, c.prefix + "grid_w",
                 uniform_grid<b>(operand_values("test", layer, Operand::rhs, per_row()), adalog_weight_grid<b>));
      check_grid(g, c.prefix + "grid_a",
                 uniform_grid<b>(operand_values("test", layer, Operand::lhs, {}), adalog_input_grid<b>));
    });
  }
  g.require_consumed("fpcs_linear.*");
}

TEST_CASE("golden: adalog searches a layer after GELU", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("fpcs_gelu.*.x")) {
    CAPTURE(c.name);
    const GoldenStack x(g, c.name), w(g, c.prefix + "w"), y(g, c.prefix + "raw_out");
    const Values bias = g.values<float>(c.prefix + "bias");
    const double batch = static_cast<double>(x.count), stored = g.scalar<double>(c.prefix + "loss_final");
    with_bits_of(c.parts.at(0), [&](auto bits) {
      using A = AdaLog<bits(), ZeroPolicy::mask, LogFloor::published>;
      const auto found = adalog_gelu<bits(), A>({.lhs = x.all(), .rhs = w.all(), .bias = bias});
      const double loss = mean_square(quantized_output(x.all(), w.all(), bias, found.lhs.at(0), found.rhs), y.all());
      CHECK(batch * loss <= 1.01 * stored);
      CHECK(found.losses.back() == Approx(loss).epsilon(1e-4));
      CHECK(batch * found.losses.at(found.losses.size() - 2) <= 1.01 * g.scalar<double>(c.prefix + "loss_act"));

      const A input{g.scalar<float>(c.prefix + "a_scale"), gelu_shift, g.scalar<std::int32_t>(c.prefix + "a_q")};
      const auto weights = stored_quantizers<bits()>(g, c.prefix + "w");
      const auto out = quantized_output(x.all(), w.all(), bias, input, weights);
      check_output(out, g.values<float>(c.prefix + "out"));
      CHECK(batch * mean_square(out, y.all()) == Approx(stored).epsilon(1e-4));
      // The bias that takes over the shift: less the shift times the sum of the decoded weights of each output.
      const Values folded = g.values<float>(c.prefix + "bias_reparam");
      for (Index o = 0; o < w.rows; ++o) {
        const auto at = static_cast<std::size_t>(o);
        double sum = 0;
        for (Index k = 0; k < w.cols; ++k) {
          sum += static_cast<double>(weights.at(at).decode(weights.at(at).encode(w.all()(o, k))));
        }
        CHECK(static_cast<double>(bias.at(at)) - static_cast<double>(gelu_shift) * sum ==
              Approx(folded.at(at)).epsilon(1e-5).margin(1e-5));
      }
    });
  }
  g.require_consumed("fpcs_gelu.*");
}

TEST_CASE("golden: adalog searches probabilities and values", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("fpcs_softmax.*.A")) {
    CAPTURE(c.name);
    const GoldenStack a(g, c.name), v(g, c.prefix + "V"), y(g, c.prefix + "raw_out");
    const std::vector<ObservedProduct> products = attention_products(a, v);
    const double batch = static_cast<double>(a.shape[0]);
    const auto loss_head = g.values<double>(c.prefix + "loss_head");
    with_bits_of(c.parts.at(0), [&](auto bits) {
      using A = AdaLog<bits(), ZeroPolicy::mask, LogFloor::published>;
      const auto found = adalog_softmax<A, bits()>(products);
      const auto loss_of_heads = [&](const A& probabilities, const std::vector<Uniform<bits()>>& values) {
        std::vector<double> losses(values.size());
        for (std::size_t p = 0; p < products.size(); ++p) {
          const auto head = static_cast<std::size_t>(products[p].head);
          const auto out =
              quantized_output(products[p].lhs, products[p].rhs, {}, probabilities, std::vector{values.at(head)});
          losses[head] += mean_square(out, y.at(static_cast<Index>(p)));
        }
        return losses;
      };
      double loss = 0, stored = 0;
      for (const double head : loss_of_heads(found.lhs.at(0), found.rhs)) loss += head;
      for (const double head : loss_head) stored += head;
      CHECK(loss <= 1.01 * stored);
      CHECK(batch * static_cast<double>(loss_head.size()) * found.losses.back() == Approx(loss).epsilon(1e-4));

      // What is stored: the losses of its quantizers, and of all bases beside its values.
      const auto values = stored_quantizers<bits()>(g, c.prefix + "v");
      const auto stored_heads = loss_of_heads({1, 0, g.scalar<std::int32_t>(c.prefix + "q")}, values);
      REQUIRE(stored_heads.size() == loss_head.size());
      for (std::size_t h = 0; h < stored_heads.size(); ++h)
        CHECK(stored_heads[h] == Approx(loss_head[h]).epsilon(1e-4));
      const OutputLoss<A> output_loss(
          products, fake_quantize_operand(std::span<const ObservedProduct>(products), Operand::rhs, values),
          {.operand = Operand::lhs, .tiling = Heads::together});
      const auto curve = g.values<double>(c.prefix + "loss_per_q");
      const std::vector<A> candidates = adalog_base_candidates(A{});
      REQUIRE(curve.size() == candidates.size());
      for (std::size_t i = 0; i < curve.size(); ++i) {
        double one = 0;
        output_loss({&candidates[i], 1}, {&one, 1});
        CHECK(batch * one == Approx(curve[i]).epsilon(1e-4));
      }
    });
  }
  g.require_consumed("fpcs_softmax.*");
}
