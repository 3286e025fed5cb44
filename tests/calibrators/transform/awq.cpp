#include "halfstep/calibrators/transform/awq.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("AWQ widens the columns that large activations meet, and it pays") {
  FloatMatrix x = random_matrix(60, 32, 1);
  for (Index t = 0; t < 60; ++t) x.view()(t, 5) *= 50;
  const FloatMatrix w = random_matrix(20, 32, 2);
  const auto found = awq<Uniform<3>>(x.view(), {w.view()}, {.weight_tiling = per_group(16)});
  CHECK(found.is_complete);
  CHECK(found.errors.size() == 20);
  CHECK(found.index == std::min_element(found.errors.begin(), found.errors.end()) - found.errors.begin());
  CHECK(found.ratio == static_cast<double>(found.index) / 20);
  CHECK(found.errors[static_cast<std::size_t>(found.index)] < found.errors[0]);
  CHECK(found.transform.scale[5] == *std::max_element(found.transform.scale.begin(), found.transform.scale.end()));

  // Ratio 0 is the weight as it is.
  const MatrixF decoded = dequantize(quantize<Uniform<3>>(w.view(), {.tiling = per_group(16)}));
  double error = 0;
  for (Index t = 0; t < 60; ++t) {
    for (Index o = 0; o < 20; ++o) {
      double difference = 0;
      for (Index c = 0; c < 32; ++c) {
        difference +=
            static_cast<double>(x(t, c)) * (static_cast<double>(decoded(o, c)) - static_cast<double>(w(o, c)));
      }
      error += difference * difference / (60 * 20);
    }
  }
  // The change of a weight is rounded to float: 2^-24 of it, and twice that in its square.
  CHECK(found.errors[0] == Approx(error).epsilon(1e-6));
}

TEST_CASE("AWQ's scales have a middle of 1, and a floor") {
  const std::vector<float> scales = awq_scales({4, 0, 1}, 0.5);
  CHECK(scales[0] / scales[2] == Approx(2).epsilon(1e-6));
  CHECK(scales[1] / scales[2] == Approx(1e-4).epsilon(1e-6));
  CHECK(scales[0] * scales[1] == Approx(1).epsilon(1e-6));
  CHECK(awq_scales({4, 0, 1}, 0) == std::vector<float>{1, 1, 1});
  CHECK(awq_scales({0, 0}, 0.5) == std::vector<float>{1, 1});
}

TEST_CASE("AWQ is the same on any number of threads, and can be stopped") {
  const FloatMatrix x = random_matrix(90, 40, 3), w = random_matrix(70, 40, 4), v = random_matrix(3, 40, 5);
  ThreadPool pool(3);
  const AwqOptions options{.weight_tiling = per_row()};
  const auto serial = awq<Uniform<4>>(x.view(), {w.view(), v.view()}, options, awq_fit<4>);
  const auto pooled =
      awq<Uniform<4>>(x.view(), {w.view(), v.view()}, {.weight_tiling = per_row(), .executor = pool}, awq_fit<4>);
  CHECK(serial.errors == pooled.errors);
  CHECK(serial.transform == pooled.transform);
  Index total = 0;
  const auto stop_at_3 = [&](const Progress& p) {
    total = p.total;
    return p.done < 3;
  };
  const auto stopped =
      awq<Uniform<4>>(x.view(), {w.view(), v.view()}, {.weight_tiling = per_row(), .progress = stop_at_3}, awq_fit<4>);
  CHECK_FALSE(stopped.is_complete);
  CHECK(total == 20);
  CHECK(stopped.errors == std::vector<double>(serial.errors.begin(), serial.errors.begin() + 3));
  CHECK(stopped.index == std::min_element(stopped.errors.begin(), stopped.errors.end()) - stopped.errors.begin());
}

TEST_CASE("AWQ takes one channel and one token, and says what is wrong") {
  const MatrixF one{{7}}, w{{2}};
  CHECK(awq<Uniform<4>>(one, {w}).transform.scale == std::vector<float>{1});
  CHECK_RAISES(awq<Uniform<4>>(MatrixF(0, 1), {w}), "awq: x of shape [0, 1] has no tokens");
  CHECK_RAISES(awq<Uniform<4>>(one, {}), "awq: weights is empty");
  CHECK_RAISES(awq<Uniform<4>>(one, {MatrixF(0, 1)}), "awq: the weights have no rows");
  CHECK_RAISES(awq<Uniform<4>>(one, {MatrixF::Ones(1, 2).eval()}), "awq: weight 0 has 2 columns, expected 1");
  CHECK_RAISES(awq<Uniform<4>>(one, {w}, {.steps = 0}), "awq: steps is 0, expected at least 1");
  const MatrixF bad{{std::numeric_limits<float>::infinity()}};
  CHECK_RAISES(awq<Uniform<4>>(bad, {w}), "awq: x is not finite: row 0, column 0 is inf");
  CHECK_RAISES(awq<Uniform<4>>(one, {w, bad}), "awq: weight 1 is not finite: row 0, column 0 is inf");
}
