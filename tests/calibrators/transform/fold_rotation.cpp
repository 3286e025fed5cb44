#include "halfstep/calibrators/transform/fold_rotation.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/double_layers.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// RMS normalization with a gain, epsilon 1e-6.
MatrixD rms_normed(const MatrixD& x, const std::vector<double>& gain) {
  MatrixD y = x;
  for (Index r = 0; r < x.rows(); ++r) {
    const double mean = x.row(r).squaredNorm() / static_cast<double>(x.cols());
    for (Index c = 0; c < x.cols(); ++c) {
      y(r, c) = x(r, c) / std::sqrt(mean + 1e-6) * gain[static_cast<std::size_t>(c)];
    }
  }
  return y;
}

}  // namespace

TEST_CASE("apply(x) * fold(w)^T = x * w^T in doubles, for rotations of all kinds of sizes") {
  for (const Index size : {1, 2, 7, 12, 20, 28, 40, 96, 172}) {
    CAPTURE(size);
    const auto r = hadamard_rotation<double>(size, {.seed = 3});
    const MatrixD x = random_doubles(4, size, 11);
    DoubleLayer before = random_double_layer(6, size, 12), after = before;
    fold(r, {}, {after.view()});
    // Rotated rows keep their norm, below 2 sqrt(size), so products of entries are below 4 size; each entry is off by
    // at most `size` roundings of the norm, on both sides, and so is the sum.
    check_identity(before, x, after, apply(r, x), 3 * 4 * static_cast<double>(size));
    CHECK(before.bias == after.bias);
  }
}

TEST_CASE("a producer makes rotated outputs, and its consumers take them back") {
  for (const Index size : {24, 43}) {
    const auto r = hadamard_rotation<double>(size);
    const MatrixD x = random_doubles(5, 9, 13);
    DoubleLayer producer = random_double_layer(size, 9, 14), consumer = random_double_layer(3, size, 15);
    const DoubleLayer old_producer = producer, old_consumer = consumer;
    fold(r, {producer.view()}, {consumer.view()});
    const MatrixD turned = producer.output(x), expected = apply(r, old_producer.output(x));
    // Normal numbers are below 5: an output is a sum of 10 terms below 25, a vector of outputs has a norm below
    // 250 sqrt(size), and each entry of a rotated one is off by 10 + size roundings of that.
    const double n = static_cast<double>(size), norm = 250 * std::sqrt(n), error = (10 + n) * norm * 0x1p-52;
    CHECK((turned - expected).cwiseAbs().maxCoeff() <= 2 * error);
    // Rotated weights are off by n roundings of a norm of 5 sqrt(n); n of them meet entries of turned.
    const MatrixD y = consumer.output(turned), old_y = old_consumer.output(old_producer.output(x));
    CHECK((y - old_y).cwiseAbs().maxCoeff() <= n * (5 * error + n * 5 * std::sqrt(n) * norm * 0x1p-52) * 2);
    CHECK((turned - old_producer.output(x)).cwiseAbs().maxCoeff() > 0.1);  // and it is turned
  }
}

TEST_CASE("a residual stream is rotated across norms whose gains were folded") {
  constexpr Index size = 40;
  const auto r = hadamard_rotation<double>(size);
  MatrixD embedding = random_doubles(6, size, 16);
  const MatrixD gains = random_doubles(1, size, 17);
  std::vector<double> gain(gains.data(), gains.data() + size);
  DoubleLayer up = random_double_layer(11, size, 18), down = random_double_layer(size, 11, 19),
              head = random_double_layer(5, size, 20);
  const auto run = [&] {
    const MatrixD stream = embedding + down.output(up.output(rms_normed(embedding, gain)));
    return head.output(stream);
  };
  const MatrixD before = run();
  // Some 500 operations one after the other, each off by 2^-53 of numbers at most 1000 times the largest output.
  const double bound = before.cwiseAbs().maxCoeff() * 500 * 1000 * 0x1p-53;
  CHECK_RAISES(fold(r, {down.view()}, {BasicNormView<double>{NormKind::rms_norm, gain}}, {up.view(), head.view()}),
               "fold: a rotation cannot pass a norm with a gain: channel 0 has gain");
  fold_norm(BasicNormView<double>{NormKind::rms_norm, gain}, {up.view()});
  CHECK((run() - before).cwiseAbs().maxCoeff() <= bound);
  ThreadPool pool(2);
  fold(r, {down.view()}, {BasicNormView<double>{NormKind::rms_norm, gain}}, {up.view(), head.view()}, pool);
  rotate_rows(r, mutable_view(embedding));
  CHECK((run() - before).cwiseAbs().maxCoeff() <= bound);
}

TEST_CASE("a rotation that cannot be folded changes nothing") {
  const auto r = hadamard_rotation<double>(8);
  DoubleLayer producer = random_double_layer(8, 3, 21), consumer = random_double_layer(2, 8, 22);
  const DoubleLayer old_producer = producer, old_consumer = consumer;
  DoubleLayer narrow = random_double_layer(7, 7, 23);
  std::vector<double> gain(8, 1.0), bias;
  const BasicNormView<double> rms{NormKind::rms_norm, gain}, layer_norm{NormKind::layer_norm, gain, bias};
  CHECK_RAISES(fold(r, {producer.view(), narrow.view()}, {consumer.view()}),
               "fold: producer has 7 out_features, expected 8 (the rotation's size)");
  CHECK_RAISES(fold(r, {producer.view()}, {consumer.view(), narrow.view()}),
               "fold: consumer has 7 in_features, expected 8 (the rotation's size)");
  CHECK_RAISES(fold(r, {producer.view()}, {rms, layer_norm}, {consumer.view()}),
               "a rotation cannot pass a LayerNorm (it subtracts the mean), expected an RMSNorm");
  gain[5] = 0.5;
  CHECK_RAISES(fold(r, {producer.view()}, {rms}, {consumer.view()}),
               "a rotation cannot pass a norm with a gain: channel 5 has gain 0.5, expected 1: fold_norm first");
  std::vector<double> short_gain(7, 1.0);
  CHECK_RAISES(fold(r, {producer.view()}, {BasicNormView<double>{NormKind::rms_norm, short_gain}}, {consumer.view()}),
               "norm has 7 channels, expected 8");
  CHECK((producer.weight == old_producer.weight && producer.bias == old_producer.bias));
  CHECK(consumer.weight == old_consumer.weight);
}
