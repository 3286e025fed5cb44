#include "halfstep/calibrators/rounding/hessian.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/random.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Integers of at most 8 bits: 256 squares of them are an exact sum in float.
FloatMatrix integers(Index rows, Index cols, std::uint64_t seed) {
  FloatMatrix x(rows, cols);
  const Random random(seed);
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] = static_cast<float>(random.bits(i) % 511) - 255.0f;
  return x;
}

/// Element (i, j) of sum x x^T.
double plain_sum(const FloatMatrix& x, Index i, Index j) {
  double sum = 0;
  for (Index t = 0; t < x.rows; ++t) sum += static_cast<double>(x(t, i)) * static_cast<double>(x(t, j));
  return sum;
}

}  // namespace

TEST_CASE("hessian: sums of products, for any number of channels and tokens") {
  std::uint64_t seed = 1;
  for (const Index channels : {1, 2, 5, 23, 24, 25, 47, 97, 200}) {
    for (const Index tokens : {1, 3, 127, 128, 129, 255, 257, 600}) {
      CAPTURE(channels, tokens);
      const FloatMatrix x = integers(tokens, channels, seed++);
      HessianAccumulator h(channels);
      h.add(x.view());
      Index wrong = 0;
      for (Index i = 0; i < channels; i += 1 + channels / 20) {
        for (Index j = 0; j < channels; ++j) wrong += h.sum()(i, j) != plain_sum(x, i, j);
      }
      CHECK(wrong == 0);
      CHECK(h.tokens() == tokens);
      CHECK(h.sequences() == 1);
    }
  }
}

TEST_CASE("hessian: normal data to the rounding of float sums over a chunk") {
  const FloatMatrix x = random_matrix(1500, 60, 3);
  HessianAccumulator h(60);
  h.add(x.view());
  for (Index i = 0; i < 60; ++i) {
    for (Index j = 0; j <= i; ++j) {
      // 256 rounded sums of a chunk, at worst 2^-24 of the sum of magnitudes each.
      const double magnitude = std::sqrt(plain_sum(x, i, i) * plain_sum(x, j, j));
      CHECK(std::fabs(h.sum()(i, j) - plain_sum(x, i, j)) <= 257 * 0x1p-24 * magnitude);
      CHECK(h.sum()(i, j) == h.sum()(j, i));
    }
  }
}

TEST_CASE("hessian: a million tokens lose nothing") {
  constexpr Index channels = 5, batch = 4000;
  HessianAccumulator h(channels);
  std::vector<std::int64_t> expected(channels * channels, 0);
  for (Index b = 0; b < 250; ++b) {
    const FloatMatrix x = integers(batch, channels, static_cast<std::uint64_t>(b));
    h.add(x.view());
    for (Index t = 0; t < batch; ++t) {
      for (Index i = 0; i < channels; ++i) {
        for (Index j = 0; j < channels; ++j) {
          expected[static_cast<std::size_t>(i * channels + j)] +=
              static_cast<std::int64_t>(x(t, i)) * static_cast<std::int64_t>(x(t, j));
        }
      }
    }
  }
  CHECK(h.tokens() == 1000000);
  CHECK(h.sequences() == 250);
  for (Index i = 0; i < channels; ++i) {
    for (Index j = 0; j < channels; ++j) {
      CHECK(h.sum()(i, j) == static_cast<double>(expected[static_cast<std::size_t>(i * channels + j)]));
    }
  }
}

TEST_CASE("hessian: the same bits for any executor") {
  const FloatMatrix x = random_matrix(1100, 150, 4);
  HessianAccumulator serial(150);
  serial.add(x.view());
  const BackwardsExecutor backwards(3);
  const FreshThreadsExecutor threads(3);
  for (const ExecutorRef executor : {ExecutorRef(backwards), ExecutorRef(threads)}) {
    HessianAccumulator other(150);
    other.add(x.view(), executor);
    CHECK(other == serial);
  }
}

TEST_CASE("hessian: a power of two in the unit comes out squared, from the least to the largest floats") {
  const FloatMatrix x = random_matrix(70, 30, 5);
  HessianAccumulator h(30);
  h.add(x.view());
  for (const int exponent : {-100, -1, 1, 100, 120}) {
    FloatMatrix scaled = x;
    for (float& value : scaled.values) value = std::ldexp(value, exponent);
    HessianAccumulator other(30);
    other.add(scaled.view());
    Index wrong = 0;
    for (Index i = 0; i < 30; ++i) {
      for (Index j = 0; j <= i; ++j) wrong += other.sum()(i, j) != std::ldexp(h.sum()(i, j), 2 * exponent);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("hessian: merging adds") {
  const FloatMatrix a = integers(50, 33, 6), b = integers(70, 33, 7);
  HessianAccumulator both(33), one(33), two(33);
  both.add(a.view());
  both.add(b.view());
  one.add(a.view());
  two.add(b.view());
  two.merge(one);
  CHECK(two == both);
  CHECK_RAISES(two.merge(HessianAccumulator(34)), "HessianAccumulator::merge: other has 34 channels, expected 33");
}

TEST_CASE("hessian: views of any kind") {
  const FloatMatrix x = integers(40, 21, 8);
  HessianAccumulator expected(21), columns(21), doubles(21), tokens(21);
  expected.add(x.view());
  const Eigen::MatrixXf column_major = as_eigen(x.view());
  columns.add(column_major);
  const MatrixD wide = as_eigen(x.view()).cast<double>();
  doubles.add(wide);
  tokens.add_sequences(x.view(), 4);
  CHECK(columns == expected);
  CHECK(doubles == expected);
  CHECK(tokens.sum() == expected.sum());
  CHECK(tokens.sequences() == 4);
  CHECK(tokens.published_factor() == 0.5);
}

TEST_CASE("hessian: a stored matrix comes back") {
  const FloatMatrix x = integers(16, 9, 9);
  HessianAccumulator h(9);
  h.add_sequences(x.view(), 2);
  MatrixD published(9, 9);
  for (Index i = 0; i < 9; ++i) {
    for (Index j = 0; j < 9; ++j) published(i, j) = h.published_factor() * h.sum()(i, j);
  }
  CHECK(HessianAccumulator::of_matrix(published, 2, 16) == h);
  CHECK_RAISES(HessianAccumulator::of_matrix(FloatMatrix(2, 3).view(), 1, 1), "h has shape [2, 3], expected a square");
  CHECK_RAISES(HessianAccumulator::of_matrix(published, 0, 1), "sequences is 0, expected at least 1");
  CHECK_RAISES(HessianAccumulator::of_matrix(published, 2, 1), "tokens is 1, expected at least 2");
  published(4, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_RAISES(HessianAccumulator::of_matrix(published, 2, 16), "h is not finite: row 4, column 1");
}

TEST_CASE("hessian: what cannot be added is refused, and nothing of it is added") {
  HessianAccumulator h(6);
  h.add(integers(8, 6, 10).view());
  const HessianAccumulator before = h;
  FloatMatrix bad = integers(700, 6, 11);
  bad.view()(17, 4) = std::numeric_limits<float>::quiet_NaN();
  bad.view()(600, 1) = -std::numeric_limits<float>::infinity();
  const FreshThreadsExecutor threads(3);
  CHECK_RAISES(h.add(bad.view()), "HessianAccumulator::add: batch is not finite: row 17, column 4 is nan");
  CHECK_RAISES(h.add(bad.view(), threads), "HessianAccumulator::add: batch is not finite: row 17, column 4 is nan");
  CHECK_RAISES(h.add(integers(2, 5, 1).view()), "HessianAccumulator::add: batch has 5 columns, expected 6");
  CHECK_RAISES(h.add_sequences(bad.view(), 0), "sequences is 0, expected at least 1");
  CHECK_RAISES(HessianAccumulator(0), "channels is 0, expected at least 1");
  CHECK(h == before);
  h.add(FloatMatrix(0, 6).view());
  CHECK(h == before);
}
