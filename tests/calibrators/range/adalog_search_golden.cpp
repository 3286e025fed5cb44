// Agreement with golden/adalog.safetensors, the searches. Final losses, recomputed here from the quantizers that were
// found, may exceed the stored ones by 1 % (candidates tie, so parameters may differ); grids 5e-6 of themselves. Stored
// losses are sums over the batch of means over tokens and features; losses here are means over everything.

#include <cstddef>
#include <cstdint>
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

/// The mean square of `decode(x) decode(w)^T + bias - y`, summed in double.
template <class Decode, class DecodeRow>
double output_loss(MatrixView<const float> x, MatrixView<const float> w, const Values& bias,
                   MatrixView<const float> y, Decode decode, DecodeRow decode_row) {
  double loss = 0;
  for (Index t = 0; t < x.rows; ++t) {
    for (Index o = 0; o < w.rows; ++o) {
      double sum = bias.empty() ? 0.0 : static_cast<double>(bias[static_cast<std::size_t>(o)]);
      for (Index k = 0; k < x.cols; ++k) sum += decode(x(t, k)) * decode_row(o, w(o, k));
      sum -= static_cast<double>(y(t, o));
      loss += sum * sum;
    }
  }
  return loss / static_cast<double>(y.size());
}

template <class Q>
double round_trip(const Q& q, float x) {
  return static_cast<double>(q.decode(q.encode(x)));
}

/// Calls `visit` with the bits of "w4a4" or "s4v4", which both operands share.
template <class Visit>
void with_bits_of(const std::string& part, Visit visit) {
  REQUIRE(part.size() == 4);
  REQUIRE(part[1] == part[3]);
  if (!with_value<2, 3, 4, 5, 6>(part[1] - '0', visit)) FAIL("2 to 6 bits");
}

template <int Bits>
void check_grid(const Golden& g, const std::string& name, const ProgressiveGrid<Uniform<Bits>>& grid) {
  const auto scales = g.values<float>(name + "_scale");
  const auto zero_points = g.values<std::int32_t>(name + "_zp");
  const auto stored = static_cast<std::size_t>(g.shape(name + "_scale").at(1));  // granules, the first few
  REQUIRE(scales.size() == static_cast<std::size_t>(grid.candidates.count()) * stored);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const Uniform<Bits>& q = grid.candidates.at(static_cast<Index>(i / stored), static_cast<Index>(i % stored));
    wrong += q.scale != Approx(scales[i]).epsilon(5e-6).margin(0) || q.zero_point != zero_points[i];
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
    with_bits_of(c.parts.at(0), [&](auto bits) {
      const ObservedProduct layer{.lhs = x.all(), .rhs = w.all(), .bias = bias};
      const auto found = adalog_linear<bits(), bits()>(layer);
      const auto loss = [&](const auto& inputs, const auto& weights) {
        return output_loss(
            x.all(), w.all(), bias, y.all(), [&](float v) { return round_trip(inputs.at(0), v); },
            [&](Index o, float v) { return round_trip(weights.at(static_cast<std::size_t>(o)), v); });
      };
      const double mine = loss(found.lhs, found.rhs);
      const double batch = static_cast<double>(x.count);
      CHECK(found.is_complete);
      CHECK(found.losses.back() == Approx(mine).epsilon(1e-5));
      CHECK(batch * mine <= 1.01 * g.scalar<double>(c.prefix + "loss"));

      // What is stored is what these losses mean.
      std::vector<Uniform<bits()>> weights;
      const auto scales = g.values<float>(c.prefix + "w_scale");
      const auto zero_points = g.values<std::int32_t>(c.prefix + "w_zp");
      for (std::size_t i = 0; i < scales.size(); ++i) weights.push_back({scales[i], zero_points.at(i)});
      const Uniform<bits()> input{g.scalar<float>(c.prefix + "a_scale"), g.scalar<std::int32_t>(c.prefix + "a_zp")};
      CHECK(batch * loss(std::vector{input}, weights) == Approx(g.scalar<double>(c.prefix + "loss")).epsilon(1e-4));

      check_grid(g, c.prefix + "grid_w",
                 uniform_grid<bits()>(operand_values("test", {{layer}}, Operand::rhs, per_row()),
                                             adalog_weight_grid<bits()>));
      check_grid(g, c.prefix + "grid_a",
                 uniform_grid<bits()>(operand_values("test", {{layer}}, Operand::lhs, {}),
                                            adalog_input_grid<bits()>));
    });
  }
}
TEST_CASE("golden: adalog searches a layer after GELU", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("fpcs_gelu.*.x")) {
    CAPTURE(c.name);
    const GoldenStack x(g, c.name), w(g, c.prefix + "w"), y(g, c.prefix + "raw_out");
    const Values bias = g.values<float>(c.prefix + "bias");
    with_bits_of(c.parts.at(0), [&](auto bits) {
      using A = AdaLog<bits(), ZeroPolicy::mask, LogFloor::published>;
      const auto found = adalog_gelu<bits(), A>({.lhs = x.all(), .rhs = w.all(), .bias = bias});
      const double mine = output_loss(
          x.all(), w.all(), bias, y.all(), [&](float v) { return round_trip(found.lhs.at(0), v); },
          [&](Index o, float v) { return round_trip(found.rhs.at(static_cast<std::size_t>(o)), v); });
      const double batch = static_cast<double>(x.count);
      CHECK(found.losses.back() == Approx(mine).epsilon(1e-5));
      CHECK(batch * mine <= 1.01 * g.scalar<double>(c.prefix + "loss_final"));
      CHECK(batch * found.losses.at(found.losses.size() - 2) <= 1.01 * g.scalar<double>(c.prefix + "loss_act"));
    });
  }
}

TEST_CASE("golden: adalog searches probabilities and values", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("fpcs_softmax.*.A")) {
    CAPTURE(c.name);
    const GoldenStack a(g, c.name), v(g, c.prefix + "V"), y(g, c.prefix + "raw_out");
    const Index heads = g.shape(c.name).at(1), batch = a.count / heads;
    const std::vector<ObservedProduct> products = attention_products(a, v);
    with_bits_of(c.parts.at(0), [&](auto bits) {
      using A = AdaLog<bits(), ZeroPolicy::mask, LogFloor::published>;
      const auto found = adalog_softmax<A, bits()>(products);
      const auto stored = g.values<double>(c.prefix + "loss_head");
      double mine = 0, expected = 0;
      for (Index i = 0; i < a.count; ++i) {
        const auto& values = found.rhs.at(static_cast<std::size_t>(i % heads));
        mine += output_loss(
            a.at(i), transposed(v.at(i)), {}, y.at(i), [&](float x) { return round_trip(found.lhs.at(0), x); },
            [&](Index, float x) { return round_trip(values, x); });
      }
      for (const double loss : stored) expected += loss;
      CHECK(mine <= 1.01 * expected);
      CHECK(static_cast<double>(batch * heads) * found.losses.back() == Approx(mine).epsilon(1e-5));

      // The losses of all bases beside the values that were found there.
      std::vector<Uniform<bits()>> values;
      const auto scales = g.values<float>(c.prefix + "v_scale");
      const auto zero_points = g.values<std::int32_t>(c.prefix + "v_zp");
      for (std::size_t h = 0; h < scales.size(); ++h) values.push_back({scales[h], zero_points.at(h)});
      const OutputLoss<A> loss(products, fake_quantize_operand(std::span<const ObservedProduct>(products),
                                                               Operand::rhs, values),
                               {.operand = Operand::lhs, .tiling = Heads::together});
      const auto curve = g.values<double>(c.prefix + "loss_per_q");
      const std::vector<A> candidates = adalog_base_candidates(A{});
      REQUIRE(curve.size() == candidates.size());
      for (std::size_t i = 0; i < curve.size(); ++i) {
        double one = 0;
        loss({&candidates[i], 1}, {&one, 1});
        CHECK(static_cast<double>(batch) * one == Approx(curve[i]).epsilon(1e-4));
      }
    });
  }
}
