#pragma once

/// \file
/// The list of quantizers that the typed tests run over: a quantizer that is appended here is tested for everything
/// that all quantizers promise.

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <vector>

#include "halfstep/quantizers/absmax.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/quantizers/power_of_two_factor.hpp"
#include "halfstep/quantizers/shift_log2.hpp"
#include "halfstep/quantizers/shifted_uniform.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "halfstep/quantizers/ternary.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/test_quantizers.hpp"

namespace halfstep_tests {

// One width of each quantizer is enough, and a second where it takes another branch: every type is compiled in a dozen
// test programs. tests/quantizers/uniform.cpp, tests/kernels/matmul.cpp and the tests of each header go through widths.

/// The library's own.
using UniformQuantizers = std::tuple<halfstep::Uniform<3>, halfstep::Uniform<4>, halfstep::Uniform<8>,
                                     halfstep::Absmax<8>, halfstep::ShiftedUniform<4>, halfstep::PowerOfTwoFactor<8>>;
using LogQuantizers =
    std::tuple<halfstep::Log2<4>, halfstep::Log2<8>, halfstep::Log2<4, halfstep::ZeroPolicy::clamp>,
               halfstep::LogSqrt2<4>, halfstep::LogSqrt2<6>, halfstep::AdaLog<4>, halfstep::ShiftLog2<4>>;
using RegionQuantizers = std::tuple<halfstep::TanQ<8>, halfstep::TwinSoftmax<4>, halfstep::TwinGelu<8>>;
using FewLevelQuantizers = std::tuple<halfstep::Ternary, halfstep::Binary, halfstep::Elastic<4>>;
using FloatQuantizers = std::tuple<halfstep::Fp4E2M1, halfstep::Fp4E1M2, halfstep::Fp4E3M0, halfstep::Fp6E2M3,
                                   halfstep::Fp6E3M2, halfstep::Fp8E4M3, halfstep::Fp8E5M2>;
using BlockQuantizers = std::tuple<halfstep::MXFP4, halfstep::MXFP6E2M3, halfstep::MXFP6E3M2, halfstep::MXFP8E4M3,
                                   halfstep::MXFP8E5M2, halfstep::NVFP4>;
using TableQuantizers = std::tuple<halfstep::NormalFloat4, halfstep::LevelTable<3>, halfstep::LevelTable<8>>;

/// The tests' own.
using TestQuantizers = std::tuple<SqrtQuantizer<4>, EvenOddQuantizer<4>, PowerQuantizer<4>, WarpQuantizer<5>>;

/// Codes of more bits than are stated: they are encoded, as activations multiplied, and never packed as a weight.
using WideQuantizers =
    std::tuple<halfstep::Log2<3, halfstep::ZeroPolicy::mask>, halfstep::ShiftLog2<4, halfstep::LogSteps::published>>;

#if defined(HALFSTEP_TEST_SAMPLE)
/// One of each way to be stored, looked up, lowered and fitted: sanitizers multiply what a type takes to compile.
using PackableQuantizers =
    std::tuple<halfstep::Uniform<3>, halfstep::Uniform<8>, halfstep::LogSqrt2<6>, halfstep::AdaLog<4>,
               halfstep::TwinSoftmax<4>, halfstep::Ternary, halfstep::Fp6E3M2, halfstep::MXFP4, halfstep::NVFP4,
               halfstep::NormalFloat4, halfstep::LevelTable<8>, WarpQuantizer<5>>;
#else
using PackableQuantizers =
    decltype(std::tuple_cat(UniformQuantizers{}, LogQuantizers{}, RegionQuantizers{}, FewLevelQuantizers{},
                            FloatQuantizers{}, BlockQuantizers{}, TableQuantizers{}, TestQuantizers{}));
#endif
using AllQuantizers = decltype(std::tuple_cat(PackableQuantizers{}, WideQuantizers{}));

/// Whether a type is a further width or format of a kind that another type of the lists stands for.
template <class Q>
inline constexpr bool is_further_width = false;
template <>
inline constexpr bool is_further_width<halfstep::Uniform<3>> = true;
template <>
inline constexpr bool is_further_width<halfstep::Uniform<8>> = true;
template <>
inline constexpr bool is_further_width<halfstep::Log2<8>> = true;
template <>
inline constexpr bool is_further_width<halfstep::Log2<4, halfstep::ZeroPolicy::clamp>> = true;
template <>
inline constexpr bool is_further_width<halfstep::LogSqrt2<6>> = true;
template <>
inline constexpr bool is_further_width<halfstep::Fp4E1M2> = true;
template <>
inline constexpr bool is_further_width<halfstep::Fp4E3M0> = true;
template <>
inline constexpr bool is_further_width<halfstep::Fp6E2M3> = true;
template <>
inline constexpr bool is_further_width<halfstep::Fp8E5M2> = true;
template <>
inline constexpr bool is_further_width<halfstep::MXFP6E2M3> = true;
template <>
inline constexpr bool is_further_width<halfstep::MXFP6E3M2> = true;
template <>
inline constexpr bool is_further_width<halfstep::MXFP8E4M3> = true;
template <>
inline constexpr bool is_further_width<halfstep::LevelTable<8>> = true;

template <class List>
struct WithoutFurtherWidths;
template <class... Q>
struct WithoutFurtherWidths<std::tuple<Q...>> {
  using List = decltype(std::tuple_cat(std::conditional_t<is_further_width<Q>, std::tuple<>, std::tuple<Q>>{}...));
};

/// One type of each kind, for tests of matrices, which see a quantizer only through its codes and parameters.
using PackableKinds = WithoutFurtherWidths<PackableQuantizers>::List;
using QuantizerKinds = WithoutFurtherWidths<AllQuantizers>::List;

/// A code that a quantizer's header exempts from `encode(decode(c))` giving the same value; overload for the quantizer.
template <class Q>
bool is_exempt_code(const Q&, int) {
  return false;
}
/// The fine region's last code, whose value is the split and belongs to the coarse region; and coarse codes below it.
template <int Bits>
bool is_exempt_code(const halfstep::TwinSoftmax<Bits>& q, int code) {
  return code == q.half - 1 || (code >= q.half && q.decode(std::int32_t{code}) < q.split());
}

/// Whether a larger value never has a code of less value; overload for the quantizer where it may.
template <class Q>
constexpr bool is_monotone(const Q&) {
  return true;
}
/// Right above the split the coarse region rounds down to less than the fine region reaches.
template <int Bits>
constexpr bool is_monotone(const halfstep::TwinSoftmax<Bits>&) {
  return false;
}

/// Ranges as data has them, and degenerate ones; all of finite ends.
inline std::vector<halfstep::Range> ranges_to_fit() {
  const float largest = 3.40282347e38f, smallest = 1.17549435e-38f, subnormal = 1.4e-45f;
  return {{-1.5f, 2.25f, 0.5f},
          {0.0f, 1.0f, 0.25f},
          {-3.0f, -1.0f, 2.0f},
          {2.0f, 5.0f, 3.0f},
          {-0.7f, 0.0f, 0.2f},
          {0.1f, 0.1f, 0.1f},
          {-0.3f, -0.3f, 0.3f},
          {0.0f, 0.0f, 0.0f},
          {1e-30f, 2e-30f, 1e-30f},
          {-1e30f, 1e30f, 1e29f},
          {0, smallest, smallest},
          {-subnormal, subnormal, 0},
          {-largest, largest, largest / 2},
          {0, largest, largest / 2},
          {-largest, 0, largest / 2},
          {largest, largest, largest}};
}

/// Parameters of `Q` as they come: fitted to these ranges in either symmetry, and the default ones.
template <halfstep::ScalarQuantizer Q>
std::vector<Q> quantizers_to_test() {
  std::vector<Q> quantizers{Q{}};
  for (const halfstep::Range& range : ranges_to_fit()) {
    for (const halfstep::Symmetry symmetry : {halfstep::Symmetry::affine, halfstep::Symmetry::symmetric}) {
      const Q q = halfstep::fit<Q>(range, symmetry);
      if (std::find(quantizers.begin(), quantizers.end(), q) == quantizers.end()) quantizers.push_back(q);
    }
  }
  return quantizers;
}

}  // namespace halfstep_tests
