#include "halfstep/kernels/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::first_difference;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

TEST_CASE("softmax agrees with exponentials and sums in double", "[softmax]") {
  for (const hs::Index n : {1, 2, 7, 8, 15, 16, 17, 65, 300}) {
    for (const float scale : {1.0f, 0.17677669f, 3.0f}) {
      const FloatMatrix x = random_matrix(6, n, 61, 5.0f);
      FloatMatrix p = x;
      hs::softmax(p.view(), scale);
      for (hs::Index r = 0; r < x.rows; ++r) {
        double largest = -1e300, sum = 0;
        for (hs::Index c = 0; c < n; ++c) largest = std::max(largest, static_cast<double>(x(r, c)));
        const auto power = [&](hs::Index c) {
          return static_cast<double>(scale) * (static_cast<double>(x(r, c)) - largest);
        };
        for (hs::Index c = 0; c < n; ++c) sum += std::exp(power(c));
        for (hs::Index c = 0; c < n; ++c) {
          const double exact = std::exp(power(c)) / sum;
          // Two roundings of the power reach the result times the power; exp is good to 4 units; the sum's terms carry
          // the same errors (at most 1 / e of them times their power), then it rounds, then the quotient.
          const double relative = 0x1p-24 * (2 * std::fabs(power(c)) + 2 + 8 + static_cast<double>(n) / 16 + 4 + 1);
          CAPTURE(n, scale, r, c, exact);
          CHECK(std::fabs(static_cast<double>(p(r, c)) - exact) <= relative * exact + 0x1p-126);
        }
      }
    }
  }
}

TEST_CASE("softmax gives the bits of its written order", "[softmax]") {
  for (hs::Index n = 1; n <= 40; ++n) {
    const FloatMatrix x = random_matrix(1, n, 62, 3.0f);
    const float largest = *std::max_element(x.values.begin(), x.values.end()), scale = 0.3f;
    float sums[16] = {};
    std::vector<float> e;
    for (const float value : x.values) {
      volatile float power = value - largest;  // volatile: no rounding may be left out
      power = power * scale;
      e.push_back(hs::simd::exp(static_cast<float>(power)));
      sums[(e.size() - 1) % 16] += e.back();
    }
    for (int width = 8; width > 0; width /= 2) {
      for (int l = 0; l < width; ++l) sums[l] += sums[l + width];
    }
    FloatMatrix expected(1, n), p = x;
    for (std::size_t c = 0; c < e.size(); ++c) expected.values[c] = e[c] / sums[0];
    hs::softmax(p.view(), scale);
    CAPTURE(n);
    CHECK(first_difference(p.view(), expected.view()) == "");
  }
}

TEST_CASE("softmax is the same in strided rows, on any executor", "[softmax]") {
  const hs::Index n = 19, rows = 5000;
  FloatMatrix expected = random_matrix(rows, n, 63);
  FloatMatrix threaded = expected, backwards = expected, padded(rows, n + 3);
  for (hs::Index r = 0; r < rows; ++r) {
    for (hs::Index c = 0; c < n + 3; ++c) padded.view()(r, c) = c < n ? expected(r, c) : 99.0f;
  }
  hs::softmax(expected.view());
  hs::ThreadPool pool(3);
  halfstep_tests::BackwardsExecutor executor;
  hs::softmax(threaded.view(), 1.0f, pool);
  hs::softmax(backwards.view(), 1.0f, executor);
  hs::softmax(padded.view().col_range(0, n));
  CHECK(first_difference(threaded.view(), expected.view()) == "");
  CHECK(first_difference(backwards.view(), expected.view()) == "");
  CHECK(first_difference(padded.view().col_range(0, n), expected.view()) == "");
  for (hs::Index r = 0; r < rows; ++r) CHECK(padded(r, n) == 99.0f);
}

TEST_CASE("softmax masks minus infinity and marks what has no softmax", "[softmax]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  FloatMatrix masked(1, 20);
  for (hs::Index c = 0; c < 20; ++c) masked.view()(0, c) = c < 4 ? 2.0f : -infinity;
  hs::softmax(masked.view());
  for (hs::Index c = 0; c < 20; ++c) CHECK(masked(0, c) == (c < 4 ? 0.25f : 0.0f));

  for (const float bad : {infinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (hs::Index at = 0; at < 20; ++at) {
      FloatMatrix x = random_matrix(2, 20, 64);
      x.view()(0, at) = bad;
      hs::softmax(x.view());
      for (hs::Index c = 0; c < 20; ++c) {
        CAPTURE(bad, at, c);
        CHECK(std::isnan(x(0, c)));
        CHECK(std::isfinite(x(1, c)));
      }
    }
  }
  FloatMatrix nothing(1, 5);
  for (float& value : nothing.values) value = -infinity;
  hs::softmax(nothing.view());
  for (const float value : nothing.values) CHECK(std::isnan(value));
}

TEST_CASE("clipped softmax stretches and cuts the softmax", "[softmax]") {
  for (const hs::Index n : {1, 7, 8, 17, 64, 197}) {
    for (const hs::SoftmaxStretch stretch : {hs::SoftmaxStretch{}, hs::SoftmaxStretch{-0.03f, 1},
                                             hs::SoftmaxStretch{0, 1.003f}, hs::SoftmaxStretch{-0.5f, 2}}) {
      const FloatMatrix x = random_matrix(6, n, 66, 5.0f);
      FloatMatrix expected = x, clipped = x;
      hs::softmax(expected.view(), 0.4f);
      for (float& p : expected.values) {
        volatile float stretched = p * (stretch.high - stretch.low);  // volatile: no rounding may be left out
        stretched = stretched + stretch.low;
        p = std::min(std::max(static_cast<float>(stretched), 0.0f), 1.0f);
      }
      hs::clipped_softmax(clipped.view(), stretch, 0.4f);
      CAPTURE(n, stretch.low, stretch.high);
      CHECK(first_difference(clipped.view(), expected.view()) == "");
    }
  }
  CHECK(hs::SoftmaxStretch::for_keys(64, 4) == hs::SoftmaxStretch{-0.0625f, 1});
}

TEST_CASE("clipped softmax reaches 0 and 1, and marks what has no softmax", "[softmax]") {
  FloatMatrix x(2, 20);
  for (hs::Index c = 0; c < 20; ++c) x.view()(0, c) = c == 3 ? 6.0f : 0.0f;
  x.view()(1, 5) = std::numeric_limits<float>::quiet_NaN();
  hs::clipped_softmax(x.view(), {-0.1f, 1.1f});
  for (hs::Index c = 0; c < 20; ++c) {
    CAPTURE(c);
    CHECK(x(0, c) == (c == 3 ? 1.0f : 0.0f));
    CHECK(std::isnan(x(1, c)));
  }
}

TEST_CASE("clipped softmax refuses a stretch that shrinks", "[softmax]") {
  FloatMatrix x = random_matrix(3, 4, 67);
  const FloatMatrix before = x;
  CHECK_RAISES(hs::clipped_softmax(x.view(), {0.1f, 1}), "clipped_softmax: stretch is 0.1 .. 1, expected a low end");
  CHECK_RAISES(hs::clipped_softmax(x.view(), {0, 0.9f}), "stretch is 0 .. 0.9");
  CHECK_RAISES(hs::clipped_softmax(x.view(), {0, std::numeric_limits<float>::infinity()}), "stretch is 0 .. inf");
  CHECK_RAISES(hs::clipped_softmax(x.view(), {std::numeric_limits<float>::quiet_NaN(), 1}), "stretch is nan");
  CHECK_RAISES(hs::clipped_softmax(x.view(), {}, -1.0f), "clipped_softmax: scale is -1, expected a positive number");
  CHECK_RAISES(hs::SoftmaxStretch::for_keys(0, 4), "SoftmaxStretch::for_keys: keys is 0, expected at least 1");
  CHECK_RAISES(hs::SoftmaxStretch::for_keys(8, -1), "alpha is -1, expected a number of at least 0");
  CHECK(first_difference(x.view(), before.view()) == "");
}

TEST_CASE("softmax refuses what does not fit", "[softmax]") {
  FloatMatrix x = random_matrix(3, 4, 65);
  CHECK_RAISES(hs::softmax(x.view(), 0.0f), "softmax: scale is 0, expected a positive number");
  CHECK_RAISES(hs::softmax(x.view(), std::numeric_limits<float>::infinity()), "scale is inf");
  CHECK_RAISES(hs::softmax(hs::MatrixView<float>(x.values.data(), 4, 3, 1, 4)), "rows must be contiguous");
}
