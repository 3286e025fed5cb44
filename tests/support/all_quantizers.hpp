#pragma once

/// \file
/// The list of quantizers that the typed tests run over: a quantizer that is appended here is tested for everything
/// that all quantizers promise.

#include <algorithm>
#include <tuple>
#include <vector>

#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/test_quantizers.hpp"

namespace halfstep_tests {

using AllQuantizers = std::tuple<halfstep::Uniform<2>, halfstep::Uniform<3>, halfstep::Uniform<4>, halfstep::Uniform<5>,
                                 halfstep::Uniform<6>, halfstep::Uniform<7>, halfstep::Uniform<8>,  //
                                 SqrtQuantizer<3>, SqrtQuantizer<4>, EvenOddQuantizer<4>, PowerQuantizer<4>,
                                 WarpQuantizer<4>, WarpQuantizer<5>>;

/// A code that a quantizer's header exempts from `encode(decode(c))` giving the same value; overload for the quantizer.
template <class Q>
bool is_exempt_code(const Q&, int) {
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
