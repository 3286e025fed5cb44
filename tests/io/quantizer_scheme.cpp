#include "halfstep/io/quantizer_scheme.hpp"

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "halfstep/io/quantized_layout.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

using StoredQuantizers =
    decltype(std::tuple_cat(UniformQuantizers{}, LogQuantizers{}, RegionQuantizers{}, FewLevelQuantizers{},
                            FloatQuantizers{}, BlockQuantizers{}, TableQuantizers{}, WideQuantizers{}));

}  // namespace

TEMPLATE_LIST_TEST_CASE("every quantizer has a scheme that takes its fits", "[quantizer_scheme]", StoredQuantizers) {
  using Q = TestType;
  STATIC_REQUIRE(hs::StorableQuantizer<Q>);
  CHECK_FALSE(hs::QuantizerScheme<Q>::name().empty());
  for (const Q& q : quantizers_to_test<Q>()) CHECK(hs::QuantizerScheme<Q>::is_valid(q));
  if constexpr (hs::HasScale<Q>) {
    for (const float odd : {0.0f, -1.0f, std::numeric_limits<float>::infinity()}) {
      Q q{};
      q.scale = odd;
      CHECK_FALSE(hs::QuantizerScheme<Q>::is_valid(q));
    }
  }
}

TEST_CASE("names tell schemes of one width apart", "[quantizer_scheme]") {
  std::set<std::pair<std::string, int>> names;
  std::apply(
      [&](const auto&... q) {
        (names.emplace(hs::QuantizerScheme<std::remove_cvref_t<decltype(q)>>::name(),
                       std::remove_cvref_t<decltype(q)>::bits),
         ...);
      },
      StoredQuantizers{});
  CHECK(names.size() == std::tuple_size_v<StoredQuantizers>);
  CHECK(hs::QuantizerScheme<hs::Fp8E4M3>::name() == "float_e4m3_ocp");
  CHECK(hs::QuantizerScheme<hs::MXFP4>::name() == "mx_float_e2m1");
  CHECK(hs::QuantizerScheme<hs::Absmax<8>>::name() == "absmax");
  CHECK(hs::QuantizerScheme<hs::ShiftedUniform<4>>::name() == "shifted_uniform");
  CHECK(hs::QuantizerScheme<hs::Log2<4, hs::ZeroPolicy::mask, hs::LogFloor::published>>::name() == "log2_mask_floor");
  STATIC_REQUIRE_FALSE(hs::StorableQuantizer<SqrtQuantizer<4>>);
}

TEST_CASE("parameters that would lead decode astray are refused", "[quantizer_scheme]") {
  const auto is_valid = [](const auto& q) {
    return hs::QuantizerScheme<std::remove_cvref_t<decltype(q)>>::is_valid(q);
  };
  CHECK_FALSE(is_valid(hs::AdaLog<4>{1, 0, 0}));
  CHECK_FALSE(is_valid(hs::AdaLog<4>{1, 0, 1001}));
  CHECK_FALSE(is_valid(hs::Uniform<4>{1, 1 << 24}));
  for (const float odd : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::nanf(""), 1e-45f, 3.4e38f}) {
    CHECK_FALSE(is_valid(hs::Absmax<8>{odd}));
  }
  for (const float odd : {std::numeric_limits<float>::infinity(), std::nanf(""), 3.4e38f}) {
    CHECK_FALSE(is_valid(hs::ShiftedUniform<8>{1e37f, odd}));
  }
  CHECK_FALSE(is_valid(hs::TwinSoftmax<4>{1, -1}));
  CHECK_FALSE(is_valid(hs::TwinSoftmax<4>{1, 61}));
  CHECK_FALSE(is_valid(hs::PowerOfTwoFactor<8>{1, 0, 31}));
  CHECK_FALSE(is_valid(hs::TanQ<4>{1, 4, 0.5f}));
  CHECK_FALSE(is_valid(hs::ShiftLog2<4>{0.1f, 1, 0}));
  CHECK_FALSE(is_valid(hs::LevelTable<1>{1, {2, 1}}));
  CHECK_FALSE(is_valid(hs::MXFP4{0.3f}));
  CHECK_FALSE(is_valid(hs::NVFP4{0.3f, 1}));
  CHECK_FALSE(is_valid(hs::Ternary{1, 1}));
  CHECK_FALSE(is_valid(hs::Binary{1, 2}));
}
