#include "halfstep/calibrators/transform/fold.hpp"

#include <cmath>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

struct Layer {
  FloatMatrix weight;
  std::vector<float> bias;
  LinearView view() { return {weight.view(), bias}; }
};

Layer random_layer(Index out, Index in, std::uint32_t seed) {
  return {random_matrix(out, in, seed), random_matrix(1, out, seed + 1000).values};
}

double output(const Layer& layer, const MatrixF& x, Index t, Index o) {
  double sum = layer.bias.empty() ? 0 : static_cast<double>(layer.bias[static_cast<std::size_t>(o)]);
  for (Index c = 0; c < x.cols(); ++c) sum += static_cast<double>(x(t, c)) * static_cast<double>(layer.weight(o, c));
  return sum;
}

/// The largest difference of what two layers make of two inputs. A product of n terms of size up to about 30, each
/// rounded a few times.
void check_same(const Layer& a, const MatrixF& xa, const Layer& b, const MatrixF& xb) {
  const double bound = static_cast<double>(xa.cols()) * 30 * 8 * 0x1p-24;
  for (Index t = 0; t < xa.rows(); ++t) {
    for (Index o = 0; o < a.weight.rows; ++o) CHECK(std::fabs(output(a, xa, t, o) - output(b, xb, t, o)) <= bound);
  }
}

ShiftScale random_transform(Index channels) {
  return {random_matrix(1, channels, 7).values, random_matrix(1, channels, 8, 0.2f, 1.5f).values};
}

}  // namespace

TEST_CASE("consumers of transformed activations give what they gave") {
  const FloatMatrix x = random_matrix(9, 14, 5, 2);
  const ShiftScale t = random_transform(14);
  Layer before = random_layer(6, 14, 6), after = before, bare = before, bare_before = before;
  bare.bias.clear();
  bare_before.bias.clear();
  fold(t, {after.view(), bare.view()});
  const MatrixF plain = apply(ShiftScale{}, x.view()), transformed = apply(t, x.view());
  check_same(before, plain, after, transformed);
  check_same(bare_before, plain, bare, transformed);
  CHECK(bare.bias.size() == 6);

  Layer scaled = bare_before;
  fold(ShiftScale{{}, t.scale}, {scaled.view()});
  CHECK(scaled.bias.empty());
  check_same(bare_before, plain, scaled, apply(ShiftScale{{}, t.scale}, x.view()));
}

TEST_CASE("the norm in front makes the transformed activations") {
  const ShiftScale t = random_transform(10);
  std::vector<float> gain = random_matrix(1, 10, 9).values, bias = random_matrix(1, 10, 10).values;
  const std::vector<float> old_gain = gain, old_bias = bias;
  Layer consumer = random_layer(4, 10, 11);
  const Layer before = consumer;
  fold(t, NormView{NormKind::layer_norm, gain, bias}, {consumer.view()});
  for (std::size_t c = 0; c < 10; ++c) {
    CHECK(gain[c] == old_gain[c] / t.scale[c]);
    CHECK(bias[c] == (old_bias[c] - t.shift[c]) / t.scale[c]);
  }
  Layer alone = before;
  fold(t, {alone.view()});
  CHECK(consumer.weight.values == alone.weight.values);
  CHECK(consumer.bias == alone.bias);

  std::vector<float> rms_gain = old_gain;
  fold(ShiftScale{{}, t.scale}, NormView{NormKind::rms_norm, rms_gain}, {consumer.view()});
  CHECK(rms_gain == gain);
  std::vector<float> no_bias;
  fold(t, NormView{NormKind::layer_norm, rms_gain, no_bias}, {});
  CHECK(no_bias[3] == (0 - t.shift[3]) / t.scale[3]);
}

TEST_CASE("the linear layer in front makes the transformed activations") {
  const FloatMatrix x = random_matrix(6, 8, 12);
  const ShiftScale t = random_transform(10);
  Layer producer = random_layer(10, 8, 13), consumer = random_layer(5, 10, 14);
  const Layer old_producer = producer, old_consumer = consumer;
  const auto through = [&](const Layer& layer) {
    MatrixF y(6, 10);
    const MatrixF in = apply(ShiftScale{}, x.view());
    for (Index r = 0; r < 6; ++r) {
      for (Index o = 0; o < 10; ++o) y(r, o) = static_cast<float>(output(layer, in, r, o));
    }
    return y;
  };
  fold(t, producer.view(), {consumer.view()});
  check_same(old_consumer, through(old_producer), consumer, through(producer));
}

TEST_CASE("a fold that cannot be done changes nothing") {
  const ShiftScale t{{0, 0, 0, 0.25f}, {1, 2, 1, 1}};
  Layer consumer = random_layer(3, 4, 15);
  const Layer before = consumer;
  std::vector<float> gain(4, 1.0f);
  const NormView rms{NormKind::rms_norm, gain};
  CHECK_RAISES(fold(t, rms, {consumer.view()}),
               "fold: a shift cannot go into an RMSNorm (it has no bias): channel 3 has shift 0.25");
  const NormView fixed{NormKind::layer_norm, gain, {}};
  CHECK_RAISES(fold(t, fixed, {consumer.view()}), "fold: a shift cannot go into a norm without a place for a bias");
  Layer narrow = random_layer(3, 5, 16);
  CHECK_RAISES(fold(t, NormView{NormKind::layer_norm, gain}, {consumer.view(), narrow.view()}),
               "fold: consumer has 5 in_features, expected 4 (channels)");
  CHECK_RAISES(fold(t, {consumer.view(), narrow.view()}), "consumer has 5 in_features, expected 4");
  CHECK_RAISES(fold(t, {LinearView{consumer.weight.view(), {}}}), "consumer has no bias and no place for one");
  Layer producer = random_layer(4, 2, 17);
  CHECK_RAISES(fold(t, LinearView{producer.weight.view(), {}}, {consumer.view()}), "producer has no bias");
  CHECK_RAISES(fold(t, narrow.view(), {consumer.view()}), "expected 3 (channels)");
  CHECK(gain == std::vector<float>(4, 1.0f));
  CHECK(consumer.weight.values == before.weight.values);
  CHECK(consumer.bias == before.bias);
}
