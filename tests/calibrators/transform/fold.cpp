#include "halfstep/calibrators/transform/fold.hpp"

#include <cmath>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/double_layers.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

struct FoldedLayer {
  FloatMatrix weight;
  std::vector<float> bias;
  LinearView view() { return {weight.view(), bias}; }
};

FoldedLayer random_layer(Index out, Index in, std::uint32_t seed) {
  return {random_matrix(out, in, seed), random_matrix(1, out, seed + 1000).values};
}

double output(const FoldedLayer& layer, const MatrixF& x, Index t, Index o) {
  double sum = layer.bias.empty() ? 0 : static_cast<double>(layer.bias[static_cast<std::size_t>(o)]);
  for (Index c = 0; c < x.cols(); ++c) sum += static_cast<double>(x(t, c)) * static_cast<double>(layer.weight(o, c));
  return sum;
}

/// The largest difference of what two layers make of two inputs. A product of n terms of size up to about 30, each
/// rounded a few times.
void check_same(const FoldedLayer& a, const MatrixF& xa, const FoldedLayer& b, const MatrixF& xb) {
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
  FoldedLayer before = random_layer(6, 14, 6), after = before, bare = before, bare_before = before;
  bare.bias.clear();
  bare_before.bias.clear();
  fold(t, {after.view(), bare.view()});
  const MatrixF plain = apply(ShiftScale{}, x.view()), transformed = apply(t, x.view());
  check_same(before, plain, after, transformed);
  check_same(bare_before, plain, bare, transformed);
  CHECK(bare.bias.size() == 6);

  FoldedLayer scaled = bare_before;
  fold(ShiftScale{{}, t.scale}, {scaled.view()});
  CHECK(scaled.bias.empty());
  check_same(bare_before, plain, scaled, apply(ShiftScale{{}, t.scale}, x.view()));
}

TEST_CASE("the norm in front makes the transformed activations") {
  const ShiftScale t = random_transform(10);
  std::vector<float> gain = random_matrix(1, 10, 9).values, bias = random_matrix(1, 10, 10).values;
  const std::vector<float> old_gain = gain, old_bias = bias;
  FoldedLayer consumer = random_layer(4, 10, 11);
  const FoldedLayer before = consumer;
  fold(t, NormView{NormKind::layer_norm, gain, bias}, {consumer.view()});
  for (std::size_t c = 0; c < 10; ++c) {
    CHECK(gain[c] == old_gain[c] / t.scale[c]);
    CHECK(bias[c] == (old_bias[c] - t.shift[c]) / t.scale[c]);
  }
  FoldedLayer alone = before;
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
  FoldedLayer producer = random_layer(10, 8, 13), consumer = random_layer(5, 10, 14);
  const FoldedLayer old_producer = producer, old_consumer = consumer;
  const auto through = [&](const FoldedLayer& layer) {
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
  FoldedLayer consumer = random_layer(3, 4, 15);
  const FoldedLayer before = consumer;
  std::vector<float> gain(4, 1.0f);
  const NormView rms{NormKind::rms_norm, gain};
  CHECK_RAISES(fold(t, rms, {consumer.view()}),
               "fold: a shift cannot go into an RMSNorm (it has no bias): channel 3 has shift 0.25");
  const NormView fixed{NormKind::layer_norm, gain, {}};
  CHECK_RAISES(fold(t, fixed, {consumer.view()}), "fold: a shift cannot go into a norm without a place for a bias");
  FoldedLayer narrow = random_layer(3, 5, 16);
  CHECK_RAISES(fold(t, NormView{NormKind::layer_norm, gain}, {consumer.view(), narrow.view()}),
               "fold: consumer has 5 in_features, expected 4 (channels)");
  CHECK_RAISES(fold(t, {consumer.view(), narrow.view()}), "consumer has 5 in_features, expected 4");
  CHECK_RAISES(fold(t, {LinearView{consumer.weight.view(), {}}}), "consumer has no bias and no place for one");
  FoldedLayer producer = random_layer(4, 2, 17);
  CHECK_RAISES(fold(t, LinearView{producer.weight.view(), {}}, {consumer.view()}), "producer has no bias");
  CHECK_RAISES(fold(t, narrow.view(), {consumer.view()}), "expected 3 (channels)");
  CHECK(gain == std::vector<float>(4, 1.0f));
  CHECK(consumer.weight.values == before.weight.values);
  CHECK(consumer.bias == before.bias);
}

TEST_CASE("apply(x) * fold(w)^T = x * w^T in doubles") {
  for (const Index channels : {1, 2, 37, 64}) {
    CAPTURE(channels);
    const MatrixD x = random_doubles(5, channels, 31), shift = random_doubles(1, channels, 32);
    BasicShiftScale<double> t{{shift.data(), shift.data() + channels}, {}};
    for (Index c = 0; c < channels; ++c) t.scale.push_back(std::exp(0.3 * shift(0, c)));  // about 1/3 to 3
    DoubleLayer before = random_double_layer(7, channels, 33), after = before;
    fold(t, {after.view()});
    // Terms: 5 deviations times 5 deviations, scales cancel; the shift's part once more.
    check_identity(before, x, after, apply(t, x), 2 * 25);
    CHECK(x.rows() == 5);
  }
  const BasicShiftScale<double> shifts{{0.5, -2}, {}};
  DoubleLayer bare = random_double_layer(3, 2, 34), bare_before = bare;
  bare.bias.clear();
  bare_before.bias.clear();
  fold(shifts, {bare.view()});
  CHECK(bare.bias.size() == 3);
  const MatrixD x = random_doubles(4, 2, 35);
  check_identity(bare_before, x, bare, apply(shifts, x), 2 * 25);
}

TEST_CASE("nothing to fold into changes nothing, and no rows and one channel are layers, too") {
  fold(random_transform(3), {});
  FoldedLayer empty = random_layer(0, 3, 41), single = random_layer(2, 1, 42);
  empty.bias.clear();
  fold(random_transform(3), {empty.view()});
  CHECK(empty.bias.empty());
  const FoldedLayer before = single;
  fold(ShiftScale{{}, {2}}, {single.view()});
  for (Index o = 0; o < 2; ++o) CHECK(single.weight(o, 0) == 2 * before.weight(o, 0));
  CHECK(apply(random_transform(3), FloatMatrix(0, 3).view()).rows() == 0);
}

TEST_CASE("folds are the same on any number of threads") {
  const ShiftScale t = random_transform(301);
  FoldedLayer serial = random_layer(400, 301, 43), pooled = serial;
  ThreadPool pool(3);
  fold(t, {serial.view()});
  fold(t, {pooled.view()}, pool);
  CHECK(first_difference(serial.weight.view(), pooled.weight.view()).empty());
  CHECK(serial.bias == pooled.bias);
}

TEST_CASE("a norm's own gain and bias go into what reads it") {
  const FloatMatrix normalized = random_matrix(6, 9, 44);
  std::vector<float> gain = random_matrix(1, 9, 45).values, bias = random_matrix(1, 9, 46).values;  // of any sign
  MatrixF x(6, 9);
  for (Index r = 0; r < 6; ++r) {
    for (Index c = 0; c < 9; ++c) {
      x(r, c) = normalized(r, c) * gain[static_cast<std::size_t>(c)] + bias[static_cast<std::size_t>(c)];
    }
  }
  const FoldedLayer before = random_layer(4, 9, 47);
  FoldedLayer after = before, fixed = before;
  const std::vector<float> old_gain = gain, old_bias = bias;
  CHECK_RAISES(fold_norm(NormView{NormKind::layer_norm, gain, bias}, {LinearView{fixed.weight.view(), {}}}),
               "fold_norm: consumer has no bias and no place for one");
  CHECK_RAISES(fold_norm(NormView{NormKind::layer_norm, gain}, {random_layer(2, 8, 48).view()}),
               "fold_norm: consumer has 8 in_features, expected 9 (channels)");
  CHECK((gain == old_gain && bias == old_bias && fixed.weight.values == before.weight.values));

  fold_norm(NormView{NormKind::layer_norm, gain, bias}, {after.view()});
  CHECK(gain == std::vector<float>(9, 1.0f));
  CHECK(bias == std::vector<float>(9, 0.0f));
  check_same(before, x, after, apply(ShiftScale{}, normalized.view()));

  std::vector<float> rms_gain = old_gain;
  FoldedLayer reader = before;
  reader.bias.clear();
  fold_norm(NormView{NormKind::rms_norm, rms_gain}, {reader.view()});
  CHECK(reader.bias.empty());
  for (Index o = 0; o < 4; ++o) CHECK(reader.weight(o, 3) == before.weight(o, 3) * old_gain[3]);
}
