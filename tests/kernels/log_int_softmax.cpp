#include "halfstep/kernels/log_int_softmax.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/reference_integer.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

template <class T>
void check_rows(const IntegerMatrix<T>& x, float scale, const hs::LogIntSoftmaxOptions& options) {
  IntegerMatrix<std::uint8_t> out(x.rows, x.cols);
  hs::log_int_softmax(x.view(), scale, out.view(), options);
  REQUIRE(out.padding_is_untouched());
  const int last = (1 << options.bits) - (options.zero == hs::ZeroPolicy::mask ? 0 : 1);
  for (hs::Index r = 0; r < x.rows; ++r) {
    CAPTURE(scale, options.bits, x.cols);
    REQUIRE(row_difference(out, r, hs::reference_log_int_softmax(x.wide_row(r), scale, last)) == "");
  }
}

}  // namespace

TEST_CASE("log_int_softmax is its reference at every length", "[log_int_softmax]") {
  for (const hs::Index cols : row_lengths()) {
    for (const float scale :
         {0x1p-10f, 0.004f, 0.02f, 0.06f, 0.11f, 0.33333334f, 0.6931f, 1.0f, 1.5f, 3.0f, 0x1p100f}) {
      for (const int bits : {2, 3, 4, 7, 8}) {
        for (const hs::ZeroPolicy zero : {hs::ZeroPolicy::reserve, hs::ZeroPolicy::clamp, hs::ZeroPolicy::mask}) {
          if (bits == 8 && zero == hs::ZeroPolicy::mask) continue;
          check_rows(random_integers<std::int8_t>(3, cols, 1, -128, 127), scale, {.bits = bits, .zero = zero});
          check_rows(random_integers<std::int32_t>(3, cols, 2, -30000, 30000), scale, {.bits = bits, .zero = zero});
          check_rows(random_integers<std::int32_t>(2, cols, 3, -3, 3), scale, {.bits = bits, .zero = zero});
        }
      }
    }
  }
}

TEST_CASE("log_int_softmax of extremes", "[log_int_softmax]") {
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min(), most = hs::integer_one;
  for (const float scale : {0x1p-10f, 0.02f, 1.0f, 2.0f}) {
    for (const hs::Index cols : row_lengths()) {
      IntegerMatrix<std::int32_t> x = random_integers<std::int32_t>(5, cols, 4, least, most);
      for (hs::Index c = 0; c < cols; ++c) {
        x(0, c) = least;
        x(1, c) = most;
        x(2, c) = c % 2 == 0 ? least : most;
      }
      check_rows(x, scale, {});
      check_rows(x, scale, {.bits = 8});
    }
  }
}

TEST_CASE("thresholds tell every ratio from the next, ties included", "[log_int_softmax]") {
  // sum / e around every tie: e = 2 d, sums (2 k + 1) d - 1, (2 k + 1) d, (2 k + 1) d + 1 for a tie of k + 1/2.
  for (const std::int64_t d : {1, 3, 700, 1 << 20}) {
    for (std::int64_t k = 0; k < 800; ++k) {
      for (const std::int64_t off : {-1, 0, 1}) {
        const std::int64_t e = 2 * d, sum = (2 * k + 1) * d + off;
        if (sum < e) continue;
        std::int64_t ratio = sum / e;  // plain rounding to even
        const std::int64_t rest = sum % e;
        if (rest > d || (rest == d && ratio % 2 != 0)) ++ratio;
        int code = 0;
        while (std::int64_t{2} << code <= ratio) ++code;
        if (2 * ratio >= std::int64_t{3} << code) ++code;
        const hs::LogCodeThresholds thresholds(sum, 255);
        CAPTURE(d, k, off);
        const hs::simd::FloatBatch power(static_cast<float>(e));
        REQUIRE(hs::simd::all(thresholds.codes(power) == hs::simd::IntBatch(code)));
        REQUIRE(hs::simd::all(thresholds.codes<32>(power) == hs::simd::IntBatch(code)));
      }
    }
  }
}

TEST_CASE("log_int_softmax does not depend on threads", "[log_int_softmax]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  const auto x = random_integers<std::int8_t>(3000, 37, 5, -128, 127);
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
    check_rows(x, 0.05f, {.executor = executor});
  }
  check_rows(IntegerMatrix<std::int8_t>(0, 5), 0.05f, {});
  check_rows(IntegerMatrix<std::int8_t>(5, 0), 0.05f, {});
}

TEST_CASE("log_int_softmax is near the logarithm of the softmax", "[log_int_softmax]") {
  const float scale = 0.02f;
  const auto x = random_integers<std::int8_t>(50, 64, 6, -128, 127);
  IntegerMatrix<std::uint8_t> out(50, 64);
  hs::log_int_softmax(x.view(), scale, out.view(), {.bits = 8});
  const double s = static_cast<double>(scale);
  for (hs::Index r = 0; r < 50; ++r) {
    double sum = 0;
    for (hs::Index c = 0; c < 64; ++c) sum += std::exp(s * x(r, c));
    for (hs::Index c = 0; c < 64; ++c) {
      const double exact = std::log2(sum) - s * x(r, c) * 1.4426950408889634;
      // The threshold of a code j is 3 * 2^(j - 2) - 1/2, between log2 of 3 * 2^(j - 2) and 0.26 below (j = 1, 2); each
      // power is off by the quadratic's 0.4 %, by x0 = 35 for 34.655, which moves t <= 5.1 by 1 %, and by b and c cut
      // to integers, |r| + 1 <= 36 of at least 3490.
      const double powers = 2 * std::log2(1 + 0.004 + 0.01 * 5.1 + 36.0 / 3490);
      CAPTURE(r, c, exact);
      CHECK(out(r, c) >= exact - 0.585 - powers);
      CHECK(out(r, c) <= exact + 0.415 + 0.27 + powers);
    }
  }
}

TEST_CASE("log_int_softmax refuses what does not fit", "[log_int_softmax]") {
  const IntegerMatrix<std::int8_t> x(3, 4);
  IntegerMatrix<std::uint8_t> out(3, 4), wrong(2, 4);
  CHECK_RAISES(hs::log_int_softmax(x.view(), 0.1f, wrong.view()),
               "halfstep: log_int_softmax: out has shape [2, 4], expected [3, 4]");
  CHECK_RAISES(hs::log_int_softmax(x.view(), 0.0005f, out.view()), "scale is 5e-04, expected a number from");
  CHECK_RAISES(hs::log_int_softmax(x.view(), 0.1f, out.view(), {.bits = 9}), "bits is 9, expected 2 to 8");
  CHECK_RAISES(hs::log_int_softmax(x.view(), 0.1f, out.view(), {.bits = 8, .zero = hs::ZeroPolicy::mask}),
               "bits is 8, expected 2 to 7");
  const IntegerMatrix<std::int8_t> wide(1, 2000);
  IntegerMatrix<std::uint8_t> wide_out(1, 2000);
  CHECK_RAISES(hs::log_int_softmax(wide.view(), 0x1p-10f, wide_out.view()),
               "x has 2000 columns, expected at most 1466 at this scale");
}
