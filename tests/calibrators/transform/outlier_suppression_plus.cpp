#include "halfstep/calibrators/transform/outlier_suppression_plus.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Activations of which channel 3 is large and off centre, and channel 7 large.
FloatMatrix outlier_activations(Index tokens, Index channels) {
  FloatMatrix x = random_matrix(tokens, channels, 1);
  for (Index t = 0; t < tokens; ++t) {
    x.view()(t, 3) = x(t, 3) * 2 + 40;
    x.view()(t, 7) *= 12;
  }
  return x;
}

}  // namespace

TEST_CASE("OS+ centres channels and shrinks those beyond the threshold to it") {
  const FloatMatrix x = outlier_activations(50, 12), w = random_matrix(9, 12, 2);
  const auto found = outlier_suppression_plus<Uniform<6>>(x.view(), {w.view()});
  CHECK(found.is_complete);
  CHECK(found.thresholds.size() == found.errors.size());
  CHECK(found.index == std::min_element(found.errors.begin(), found.errors.end()) - found.errors.begin());
  CHECK(found.threshold == static_cast<float>(found.thresholds[static_cast<std::size_t>(found.index)]));
  const MatrixF transformed = apply(found.transform, x.view());
  for (Index c = 0; c < 12; ++c) {
    const float high = transformed.col(c).maxCoeff(), low = transformed.col(c).minCoeff();
    CHECK(std::max(high, -low) <= found.threshold * (1 + 0x1p-22f));  // a division's rounding
    CHECK(found.transform.scale_of(c) >= 1);
    if (found.transform.scale_of(c) > 1) {
      CHECK(std::max(high, -low) == Approx(found.threshold).epsilon(0x1p-22));
    }
    // The middle is 0 but for roundings of shift and differences, each of numbers below 50.
    CHECK(std::fabs(high + low) <= 50 * 4 * 0x1p-24f);
  }
  CHECK(found.transform.shift[3] > 30);
}

TEST_CASE("the error of the winner is what the layer then does") {
  const FloatMatrix x = outlier_activations(40, 10), w = random_matrix(6, 10, 3);
  const auto found = outlier_suppression_plus<Uniform<5>>(x.view(), {w.view()}, {.shift = ChannelShift::none});
  CHECK(found.transform.shift.empty());
  const Uniform<5> q = Uniform<5>::fit({-found.threshold, found.threshold, 0});
  const MatrixF seen = fake_quantize(apply(found.transform, x.view()), q);
  MatrixF scaled(6, 10);
  for (Index o = 0; o < 6; ++o) {
    for (Index c = 0; c < 10; ++c) scaled(o, c) = w(o, c) * found.transform.scale_of(c);
  }
  const MatrixF decoded = dequantize(quantize<Uniform<5>>(scaled, {.tiling = per_row()}));
  double error = 0;
  for (Index t = 0; t < 40; ++t) {
    for (Index o = 0; o < 6; ++o) {
      double difference = 0;
      for (Index c = 0; c < 10; ++c) {
        difference += static_cast<double>(seen(t, c)) * static_cast<double>(decoded(o, c)) -
                      static_cast<double>(x(t, c)) * static_cast<double>(w(o, c));
      }
      error += difference * difference / 40;
    }
  }
  CHECK(found.errors[static_cast<std::size_t>(found.index)] == Approx(error).epsilon(1e-9));
  CHECK(found.errors[static_cast<std::size_t>(found.index)] < found.errors.front());  // it pays
}

TEST_CASE("where nothing exceeds the end of the search there is nothing to try") {
  FloatMatrix x = random_matrix(20, 5, 4, 0.1f);
  const FloatMatrix w = random_matrix(3, 5, 5);
  const auto found = outlier_suppression_plus<Uniform<8>>(x.view(), {w.view()});
  CHECK(found.index == -1);
  CHECK(found.threshold == 0);
  CHECK(found.errors.empty());
  CHECK(found.is_complete);
  CHECK(found.transform.scale == std::vector<float>(5, 1.0f));
  CHECK(outlier_suppression_plus<Uniform<8>>(x.view(), {w.view()}, {.lowest_threshold = 0.01}).index >= 0);
}

TEST_CASE("thresholds go down in even steps, as many as the range is wide") {
  const std::vector<Range> small{{-3, 2, 0}}, large{{-1, 80, 0}}, exact{{0, 1, 0}}, below{{0, 0.5f, 0}};
  const auto a = candidate_thresholds(small, 1);
  CHECK((a.size() == 100 || a.size() == 101));  // the last is within rounding of 1
  CHECK(a[0] == 3);
  CHECK(a[1] == 3 - 2.0 / 100);
  CHECK(candidate_thresholds(large, 1)[1] == 80 - 79.0 / 160);
  CHECK(candidate_thresholds(exact, 1) == std::vector<double>{1});
  CHECK(candidate_thresholds(below, 1).empty());
  CHECK(scales_of_threshold({{-6, 2, 0}, {-1, 9, 0}, {-2, 3, 0}}, 3) == std::vector<float>{2, 3, 1});
}

TEST_CASE("OS+ is the same on any number of threads, and can be stopped") {
  const FloatMatrix x = outlier_activations(130, 16), w = random_matrix(70, 16, 6), v = random_matrix(5, 16, 7);
  ThreadPool pool(3);
  const auto serial = outlier_suppression_plus<Uniform<4>>(x.view(), {w.view(), v.view()});
  const auto pooled = outlier_suppression_plus<Uniform<4>>(x.view(), {w.view(), v.view()}, {.executor = pool});
  CHECK(serial.errors == pooled.errors);
  CHECK(serial.transform == pooled.transform);

  Index calls = 0, total = 0;
  const auto stop_at_5 = [&](const Progress& p) {
    CHECK(p.done == ++calls);
    total = p.total;
    return p.done < 5;
  };
  const auto stopped = outlier_suppression_plus<Uniform<4>>(x.view(), {w.view(), v.view()}, {.progress = stop_at_5});
  CHECK_FALSE(stopped.is_complete);
  CHECK(total == static_cast<Index>(serial.errors.size()));
  CHECK(stopped.errors == std::vector<double>(serial.errors.begin(), serial.errors.begin() + 5));
  CHECK(stopped.index == std::min_element(stopped.errors.begin(), stopped.errors.end()) - stopped.errors.begin());
  CHECK(stopped.transform.scale == scales_of_threshold(
                                       [&] {
                                         MinMax seen(per_column());
                                         seen.observe(apply(ShiftScale{stopped.transform.shift, {}}, x.view()));
                                         return seen.ranges();
                                       }(),
                                       stopped.threshold));
  const auto fail = [](const Progress&) -> bool { throw std::runtime_error("stop"); };
  CHECK_THROWS_AS(outlier_suppression_plus<Uniform<4>>(x.view(), {w.view()}, {.progress = fail}), std::runtime_error);
}

TEST_CASE("OS+ takes one channel and one token, and says what is wrong") {
  const MatrixF one{{7}}, w{{2}};
  CHECK(outlier_suppression_plus<Uniform<8>>(one, {w}).transform.shift == std::vector<float>{7});
  CHECK_RAISES(outlier_suppression_plus<Uniform<8>>(MatrixF(0, 1), {w}),
               "outlier_suppression_plus: x of shape [0, 1] has no tokens");
  CHECK_RAISES(outlier_suppression_plus<Uniform<8>>(one, {}), "weights is empty");
  CHECK_RAISES(outlier_suppression_plus<Uniform<8>>(one, {w, MatrixF::Ones(1, 2).eval()}), "weight 1 has 2 columns");
  CHECK_RAISES(outlier_suppression_plus<Uniform<8>>(one, {w}, {.lowest_threshold = 0}),
               "lowest_threshold is 0, expected a positive number");
  MatrixF bad = MatrixF::Ones(3, 2);
  const MatrixF good = bad;
  bad(2, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(outlier_suppression_plus<Uniform<8>>(bad, {good}), "x is not finite: row 2, column 1 is nan");
  CHECK_RAISES(outlier_suppression_plus<Uniform<8>>(good, {good, bad}),
               "weight 1 is not finite: row 2, column 1 is nan");
}
