#include "halfstep/calibrators/range/minifloat_search.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double output_mse(const MatrixF& x, const MatrixF& w, const MatrixF& x_hat, const MatrixF& w_hat) {
  const MatrixD exact = x.cast<double>() * w.cast<double>().transpose();
  const MatrixD seen = x_hat.cast<double>() * w_hat.cast<double>().transpose();
  return (seen - exact).squaredNorm() / static_cast<double>(exact.size());
}

/// Channels of widths 1 to 16.
FloatMatrix uneven(Index rows, Index cols, std::uint32_t seed) {
  FloatMatrix x = random_matrix(rows, cols, seed);
  for (Index i = 0; i < x.rows * x.cols; ++i) {
    x.values[static_cast<std::size_t>(i)] *= std::ldexp(1.0f, static_cast<int>(i % cols % 5));
  }
  return x;
}

double mse_of(const MinifloatChoice& found, const FloatMatrix& x, const FloatMatrix& w) {
  const MatrixF rows = as_eigen(x.view()), words = as_eigen(w.view());
  return output_mse(rows, words, decoded_activation<4>(found.activation, rows, {}),
                    decoded_weight<4>(found.weight, words, {}));
}

}  // namespace

TEST_CASE("the minifloat search reports the error of what it returns, and beats min-max") {
  struct Sizes {
    Index tokens, channels, outputs;
  };
  for (const Sizes& s : {Sizes{60, 10, 7}, {8, 20, 25}}) {  // by moments, and directly
    CAPTURE(s.tokens);
    const FloatMatrix x = uneven(s.tokens, s.channels, 71), w = random_matrix(s.outputs, s.channels, 72);
    const MinifloatChoice start = minifloat_search<4>(x.view(), w.view(), {.rounds = 0});
    const MinifloatChoice found = minifloat_search<4>(x.view(), w.view());
    CHECK(start.mse == Approx(mse_of(start, x, w)).epsilon(1e-9));
    CHECK(found.mse == Approx(mse_of(found, x, w)).epsilon(1e-9));
    CHECK(found.mse < start.mse);
    CHECK(start.weight.format == MinifloatFormat{2, 1});
    CHECK(start.activation.format == MinifloatFormat{2, 1});
    CHECK(minifloat_search<8, 4>(x.view(), w.view()).mse < found.mse);
  }
}

TEST_CASE("the minifloat search follows its shifts into the weight") {
  const FloatMatrix x = uneven(60, 10, 73), w = random_matrix(7, 10, 74);
  const MinifloatChoice found = minifloat_search<4>(x.view(), w.view());
  const ShiftScale t = found.pre_shift();
  const MatrixF shifted = apply(t, x.view());
  const MatrixF rows = as_eigen(x.view()), words = as_eigen(w.view());
  const MatrixF x_hat = decoded_activation<4>(found.activation, rows, {});
  with_minifloat<4>(found.activation.format, [&](auto format) {
    const auto q = minifloat_of_bias<decltype(format)>(found.activation.shared.bias);
    for (Index i = 0; i < shifted.size(); ++i) {
      const float scale = t.scale[static_cast<std::size_t>(i % 10)];
      CHECK(q.decode(q.encode(shifted.data()[i])) * scale == x_hat.data()[i]);
    }
  });
  const MinifloatWeight refitted = shifted_weight_biases<4>(found, x.view(), w.view());
  CHECK(refitted.format == found.weight.format);
  MatrixF folded = words;
  for (Index c = 0; c < 10; ++c) folded.col(c) *= t.scale[static_cast<std::size_t>(c)];
  MatrixF back = decoded_weight<4>(refitted, folded, {});
  for (Index c = 0; c < 10; ++c) back.col(c) /= t.scale[static_cast<std::size_t>(c)];
  // Better than the biases that suit the weight without the shifts.
  MatrixF stale = decoded_weight<4>(found.weight, folded, {});
  for (Index c = 0; c < 10; ++c) stale.col(c) /= t.scale[static_cast<std::size_t>(c)];
  CHECK(output_mse(rows, words, x_hat, back) <= output_mse(rows, words, x_hat, stale));
}

TEST_CASE("the minifloat search is the same for any executor") {
  const FloatMatrix x = uneven(100, 12, 75), w = random_matrix(70, 12, 76);
  const MinifloatChoice expected = minifloat_search<4>(x.view(), w.view(), {.rounds = 2});
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const ExecutorRef executor : {ExecutorRef(pool), ExecutorRef(backwards)}) {
    const MinifloatChoice found = minifloat_search<4>(x.view(), w.view(), {.rounds = 2, .executor = executor});
    CHECK(found.weight.format == expected.weight.format);
    CHECK(found.weight.biases == expected.weight.biases);
    CHECK(found.activation.shared.bias == expected.activation.shared.bias);
    CHECK(found.activation.shared.shifts == expected.activation.shared.shifts);
    CHECK(found.mse == expected.mse);
  }
}

TEST_CASE("a minifloat search that is stopped returns what it had") {
  const FloatMatrix x = uneven(30, 6, 77), w = random_matrix(5, 6, 78);
  Index last_done = 0, last_total = 0;
  const auto stop_at = [&](Index last) {
    last_done = 0;
    const auto progress = [&](const Progress& p) {
      CHECK(p.done >= last_done);
      last_done = p.done;
      last_total = p.total;
      return p.done < last;
    };
    return minifloat_search<4>(x.view(), w.view(), {.progress = progress});
  };
  const MinifloatChoice at_once = stop_at(0);
  CHECK_FALSE(at_once.is_complete);
  CHECK(at_once.mse == minifloat_search<4>(x.view(), w.view(), {.rounds = 0}).mse);
  const MinifloatChoice one_round = stop_at(601);  // three formats of each operand, 100 candidates each
  CHECK_FALSE(one_round.is_complete);
  CHECK(one_round.mse < at_once.mse);
  const MinifloatChoice all = stop_at(10000);
  CHECK(all.is_complete);
  CHECK(last_done == last_total);
}

TEST_CASE("the minifloat search of zeros, and of channels and rows of zeros") {
  FloatMatrix x = random_matrix(10, 4, 79), w = random_matrix(3, 4, 80);
  for (Index r = 0; r < 10; ++r) x.values[static_cast<std::size_t>(r * 4 + 2)] = 0;
  for (Index c = 0; c < 4; ++c) w.values[static_cast<std::size_t>(4 + c)] = 0;
  const MinifloatChoice found = minifloat_search<4>(x.view(), w.view(), {.rounds = 1});
  const MatrixF words = as_eigen(w.view());
  CHECK(decoded_weight<4>(found.weight, words, {}).row(1).isZero(0));
  std::fill(x.values.begin(), x.values.end(), 0.0f);
  CHECK(minifloat_search<4>(x.view(), w.view(), {.rounds = 1}).mse == 0);
}

TEST_CASE("the minifloat search says what is wrong") {
  FloatMatrix x = random_matrix(3, 4, 1), w = random_matrix(2, 4, 2);
  CHECK_RAISES(minifloat_search<4>(x.view().row_range(0, 0), w.view()), "x of shape [0, 4] has no elements");
  CHECK_RAISES(minifloat_search<4>(x.view(), w.view().row_range(0, 0)), "w of shape [0, 4] has no elements");
  CHECK_RAISES(minifloat_search<4>(x.view().col_range(0, 3), w.view()), "w has 4 columns, x has 3 (channels)");
  CHECK_RAISES(minifloat_search<4>(x.view(), w.view(), {.rounds = -1}), "rounds is -1, expected at least 0");
  CHECK_RAISES(minifloat_search<4>(x.view(), w.view(), {.initial_weight_mantissa = 3}),
               "an initial format has 3 mantissa bits, expected one of 4 bits");
  const MinifloatChoice found = minifloat_search<4>(x.view(), w.view(), {.rounds = 0});
  CHECK_RAISES(shifted_weight_biases<4>(found, x.view().col_range(0, 3), w.view().col_range(0, 3)),
               "found has 4 shifts, x has 3 columns");
  w.values[5] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(minifloat_search<4>(x.view(), w.view()), "minifloat_search: w is not finite: row 1, column 1 is inf");
  x.values[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(minifloat_search<4>(x.view(), w.view()), "x is not finite: row 0, column 1 is nan");
}
