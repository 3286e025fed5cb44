#include "halfstep/core/norm_view.hpp"

#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a norm is checked for what its kind has", "[norm_view]") {
  std::vector<float> gain(3, 1.0f), bias(2);
  const hs::NormView rms{hs::NormKind::rms_norm, gain};
  CHECK(rms.channels() == 3);
  CHECK_NOTHROW(hs::require_consistent("fold", "norm", rms));
  CHECK_NOTHROW(hs::require_consistent("fold", "norm", hs::NormView{hs::NormKind::layer_norm, gain}));
  CHECK_RAISES(hs::require_consistent("fold", "norm", hs::NormView{hs::NormKind::rms_norm, gain, bias}),
               "norm is an RMSNorm with a bias, expected none");
  CHECK_RAISES(hs::require_consistent("fold", "norm", hs::NormView{hs::NormKind::layer_norm, gain, bias}),
               "norm has a bias of 2 elements and a gain of 3");
  CHECK_RAISES(
      hs::require_consistent("fold", "norm", hs::NormView{hs::NormKind::layer_norm, hs::MutableVectorView(nullptr, 3)}),
      "norm has no gain (null pointer)");
}
