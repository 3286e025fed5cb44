#include "halfstep/kernels/epilogue.hpp"

#include <cmath>
#include <limits>

#include "simd/sweep.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using hs::Epilogue;

TEST_CASE("a function is named by a value", "[epilogue]") {
  STATIC_REQUIRE(Epilogue().kind() == Epilogue::Kind::none);
  STATIC_REQUIRE(Epilogue(hs::Relu{}).kind() == Epilogue::Kind::relu);
  STATIC_REQUIRE(Epilogue(hs::Gelu{}).kind() == Epilogue::Kind::gelu);
  STATIC_REQUIRE(Epilogue(hs::Silu{}).kind() == Epilogue::Kind::silu);
}

TEST_CASE("each function is what it is called", "[epilogue]") {
  for (int i = -400; i <= 400; ++i) {
    const float x = static_cast<float>(i) / 32;
    const double exact = static_cast<double>(x);
    CHECK(hs::apply_epilogue(Epilogue::Kind::none, x) == x);
    CHECK(hs::apply_epilogue(Epilogue::Kind::relu, x) == (x > 0 ? x : 0));
    // The errors of gelu and silu are tested in simd/gelu; here that they are those functions.
    CHECK(std::fabs(static_cast<double>(hs::apply_epilogue(Epilogue::Kind::gelu, x)) -
                    exact / 2 * std::erfc(-exact / std::sqrt(2.0))) <= 1e-6 * (1 + std::fabs(exact)));
    CHECK(std::fabs(static_cast<double>(hs::apply_epilogue(Epilogue::Kind::silu, x)) -
                    exact / (1 + std::exp(-exact))) <= 1e-6 * (1 + std::fabs(exact)));
  }
}

TEST_CASE("NaN goes through every function", "[epilogue]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto kind : {Epilogue::Kind::none, Epilogue::Kind::relu, Epilogue::Kind::gelu, Epilogue::Kind::silu}) {
    CHECK(std::isnan(hs::apply_epilogue(kind, nan)));
    float lanes[hs::simd::batch_lanes];
    hs::simd::store(lanes, hs::apply_epilogue(kind, hs::simd::FloatBatch(nan)));
    for (const float lane : lanes) CHECK(std::isnan(lane));
  }
}

TEST_CASE("batches give the scalar bits", "[epilogue]") {
  const std::vector<float> xs = halfstep_tests::sweep_of_floats(20000);
  for (const auto kind : {Epilogue::Kind::relu, Epilogue::Kind::gelu, Epilogue::Kind::silu}) {
    halfstep_tests::check_same_on_floats([&](auto x) { return hs::apply_epilogue(kind, x); }, xs);
  }
}
