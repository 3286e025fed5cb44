#include "halfstep/quantizers/binary.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "halfstep/simd/pinned.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Bits>
void check_elastic() {
  for (const float offset : {0.0f, -0.7f, 100.0f}) {
    const Elastic<Bits> q{0.3f, offset};
    int wrong = 0;
    for (int i = -2000; i <= 8000; ++i) {
      const float x = offset + static_cast<float>(i) * 1e-3f;
      const double steps = static_cast<double>((x - offset) / 0.3f);
      const double code = std::clamp(std::nearbyint(steps), 0.0, static_cast<double>(q.max_code));
      wrong += q.encode(x) == code ? 0 : 1;
      wrong += q.decode(q.encode(x)) == simd::pinned(static_cast<float>(code) * 0.3f) + offset ? 0 : 1;
    }
    CAPTURE(Bits, offset);
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("binary is a scaled sign from a center on", "[binary]") {
  const Binary q{0.5f, 0.1f};
  CHECK(q.encode(0.1f) == 0);
  CHECK(q.encode(std::nextafter(0.1f, 0.0f)) == 1);
  CHECK(q.encode(-3.0f) == 1);
  CHECK(q.encode(infinity) == 0);
  CHECK(q.encode(-infinity) == 1);
  CHECK(q.encode(not_a_number) == 0);
  CHECK(q.decode(0) == 0.5f);
  CHECK(q.decode(1) == -0.5f);
  CHECK(Binary::fit({-3, 5, 0.75f}) == Binary{0.75f, 0});
  CHECK(Binary::fit({0, 0, 0}) == Binary{1, 0});
  CHECK(lower(q).value(0) == 0.5);
  CHECK(lower(q).value(1) == -0.5);
}

TEST_CASE("elastic steps are uniform from a real offset", "[binary]") {
  check_elastic<1>();
  check_elastic<2>();
  check_elastic<4>();
  CHECK(Elastic<2>{}.encode(not_a_number) == 0);
  CHECK(Elastic<2>{}.encode(infinity) == 3);
  CHECK(Elastic<1>::fit({0, 1, 0.25f}) == Elastic<1>{1, 0});
  CHECK(Elastic<2>::fit({-1, 1, 0.25f}).offset == -1);
  CHECK(Elastic<4>::fit({0, 0, 0}).scale == 1e-5f);
}
