#include "halfstep/calibrators/range/noise_search.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/transform/noisy_bias.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The mean squared output error with the noise, element by element in double.
double plain_mse(const FloatMatrix& x, const FloatMatrix& w, const Uniform<4>& q, const std::vector<float>& noise) {
  double sum = 0;
  for (Index t = 0; t < x.rows; ++t) {
    for (Index o = 0; o < w.rows; ++o) {
      double y = 0;
      for (Index c = 0; c < x.cols; ++c) {
        const float n = noise[static_cast<std::size_t>(c)], value = x.view()(t, c);
        const auto change = static_cast<double>(q.decode(q.encode(value + n))) - static_cast<double>(n);
        y += (change - static_cast<double>(value)) * static_cast<double>(w.view()(o, c));
      }
      sum += y * y;
    }
  }
  return sum / static_cast<double>(x.rows * w.rows);
}

}  // namespace

TEST_CASE("the noise search reports the errors of what it returns, and never gets worse") {
  for (const Index outputs : {3, 20}) {  // fewer and more outputs than channels
    const FloatMatrix x = sample(distributions()[3], 40, 9, 51), w = random_matrix(outputs, 9, 52);
    const auto found = noise_search<4>(x.view(), w.view(), {.clip_steps = 100, .amplitude_steps = 300, .seed = 3});
    REQUIRE(found.is_complete);
    CHECK(found.quantizer.zero_point == 8);
    const std::vector<float> none(9, 0.0f), mean(9, found.mean);
    // x + n is rounded to a float once, 2^-24 of 80 times 9 channels beside errors of a few hundredths.
    CHECK(found.no_noise_mse == Approx(plain_mse(x, w, found.quantizer, none)).epsilon(1e-3));
    CHECK(found.mean_mse == Approx(plain_mse(x, w, found.quantizer, mean)).epsilon(1e-3));
    CHECK(found.mse == Approx(plain_mse(x, w, found.quantizer, found.noise)).epsilon(1e-3));
    CHECK(found.mean_mse <= found.no_noise_mse);
    CHECK(found.mse <= found.mean_mse);
    CHECK(found.mse < found.no_noise_mse);  // this density peaks off the grid
    CHECK(std::fabs(found.mean) <= found.quantizer.scale);
    CHECK(with_noise(found.noise).channels() == 9);
  }
}

TEST_CASE("the noise search takes a direction, and draws the same one for the same seed") {
  const FloatMatrix x = sample(distributions()[0], 30, 6, 53), w = random_matrix(5, 6, 54);
  const std::vector<float> nowhere(6, 0.0f);
  const auto without = noise_search<4>(x.view(), w.view(), {.clip_steps = 50, .direction = nowhere});
  CHECK(without.noise == std::vector<float>(6, without.mean));
  const NoiseSearchOptions drawn{.clip_steps = 50, .amplitude_steps = 100, .seed = 9};
  CHECK(noise_search<4>(x.view(), w.view(), drawn).noise == noise_search<4>(x.view(), w.view(), drawn).noise);
}

TEST_CASE("the noise search is the same for any executor") {
  const FloatMatrix x = sample(distributions()[3], 200, 12, 55), w = random_matrix(30, 12, 56);
  const NoiseSearchOptions options{.clip_steps = 30, .mean_steps = 20, .amplitude_steps = 40};
  const auto expected = noise_search<4>(x.view(), w.view(), options);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const ExecutorRef executor : {ExecutorRef(pool), ExecutorRef(backwards)}) {
    NoiseSearchOptions other = options;
    other.executor = executor;
    const auto found = noise_search<4>(x.view(), w.view(), other);
    CHECK(found.quantizer == expected.quantizer);
    CHECK(found.noise == expected.noise);
    CHECK(found.mse == expected.mse);
  }
}

TEST_CASE("a noise search that is stopped returns the best so far") {
  const FloatMatrix x = sample(distributions()[0], 20, 6, 57), w = random_matrix(5, 6, 58);
  Index calls = 0;
  const auto stop_at = [&](Index last) {
    calls = 0;
    const auto progress = [&](const Progress& p) {
      ++calls;
      CHECK(p.total == 1000 + 400 + 2000);
      return p.done < last;
    };
    return noise_search<4>(x.view(), w.view(), {.progress = progress});
  };
  const auto clip_only = stop_at(1);
  CHECK(calls == 1);
  CHECK_FALSE(clip_only.is_complete);
  CHECK(clip_only.noise == std::vector<float>(6, 0.0f));
  CHECK(clip_only.quantizer.scale > 0);
  CHECK(clip_only.mse == clip_only.clip_mse);
  const auto to_mean = stop_at(1400);
  CHECK_FALSE(to_mean.is_complete);
  CHECK(to_mean.noise == std::vector<float>(6, to_mean.mean));
}

TEST_CASE("the noise search of zeros finds no noise") {
  const std::vector<float> zeros(12, 0.0f);
  const FloatMatrix w = random_matrix(5, 4, 59);
  const auto found = noise_search<4>(MatrixView<const float>(zeros.data(), 3, 4), w.view());
  CHECK(found.quantizer == Uniform<4>{1.0f, 8});
  CHECK(found.noise == std::vector<float>(4, 0.0f));
  CHECK(found.mse == 0);
}

TEST_CASE("the noise search says what is wrong") {
  FloatMatrix x = random_matrix(3, 4, 1), w = random_matrix(2, 4, 2);
  CHECK_RAISES(noise_search<4>(x.view().row_range(0, 0), w.view()), "noise_search: x of shape [0, 4] has no elements");
  CHECK_RAISES(noise_search<4>(x.view(), w.view().row_range(0, 0)), "weight of shape [0, 4] has no elements");
  CHECK_RAISES(noise_search<4>(x.view().col_range(0, 3), w.view()), "weight has 4 columns, x has 3 (channels)");
  CHECK_RAISES(noise_search<4>(x.view(), w.view(), {.clip_steps = 0}), "clip_steps is 0, expected at least 1");
  CHECK_RAISES(noise_search<4>(x.view(), w.view(), {.mean_steps = 0}), "mean_steps is 0, expected at least 1");
  CHECK_RAISES(noise_search<4>(x.view(), w.view(), {.amplitude_steps = -1}), "amplitude_steps is -1");
  std::vector<float> direction(3, 1.0f);
  CHECK_RAISES(noise_search<4>(x.view(), w.view(), {.direction = direction}),
               "direction has 3 entries, x has 4 columns");
  direction = {0, 1, std::numeric_limits<float>::infinity(), 1};
  CHECK_RAISES(noise_search<4>(x.view(), w.view(), {.direction = direction}), "direction of channel 2 is inf");
  w.values[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(noise_search<4>(x.view(), w.view()), "weight is not finite: row 1, column 1 is nan");
  x.values[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(noise_search<4>(x.view(), w.view()), "x is not finite: row 0, column 1 is nan");
}
