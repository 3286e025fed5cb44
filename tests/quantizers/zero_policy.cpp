#include "halfstep/quantizers/zero_policy.hpp"

#include <cmath>
#include <set>

#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "support/catch.hpp"

using namespace halfstep;

namespace {

/// All that a quantizer with levels in [0, 1] makes of values in [0, 1].
template <class Q>
std::set<float> outputs() {
  const Q q;
  std::set<float> values{q.decode(q.encode(0.0f))};
  for (int i = 0; i <= 40 * 64; ++i) values.insert(q.decode(q.encode(std::exp2(static_cast<float>(-i) / 64))));
  return values;
}

/// Checks what a quantizer of `Bits` stated bits does with zero, by policy.
template <template <int, ZeroPolicy, LogFloor> class Q, int Bits>
void check_policies() {
  using Reserve = Q<Bits, ZeroPolicy::reserve, LogFloor::none>;
  using Clamp = Q<Bits, ZeroPolicy::clamp, LogFloor::none>;
  using Mask = Q<Bits, ZeroPolicy::mask, LogFloor::none>;
  constexpr std::size_t levels = std::size_t{1} << Bits;
  CHECK(outputs<Reserve>().size() == levels);
  CHECK(outputs<Clamp>().size() == levels);
  CHECK(outputs<Mask>().size() == levels + 1);
  CHECK(*outputs<Reserve>().begin() == 0.0f);
  CHECK(*outputs<Mask>().begin() == 0.0f);
  // What is masked besides zero is a code further down: the levels are those of the clamp, and 0.
  std::set<float> with_zero = outputs<Clamp>();
  CHECK(*with_zero.begin() > 0.0f);
  with_zero.insert(0.0f);
  CHECK(outputs<Mask>() == with_zero);
  CHECK(Reserve{}.encode(0.0f) == static_cast<int>(levels) - 1);
  CHECK(Clamp{}.encode(0.0f) == static_cast<int>(levels) - 1);
  CHECK(Mask{}.encode(0.0f) == static_cast<int>(levels));
}

}  // namespace

TEST_CASE("codes of logarithmic quantizers by zero policy", "[zero_policy]") {
  using Reserve = LogCodes<4, ZeroPolicy::reserve>;
  using Clamp = LogCodes<4, ZeroPolicy::clamp>;
  using Mask = LogCodes<4, ZeroPolicy::mask>;
  STATIC_REQUIRE((Reserve::stated_bits == 4 && Reserve::bits == 4 && Reserve::last_code == 15 && Reserve::has_zero));
  STATIC_REQUIRE((Clamp::stated_bits == 4 && Clamp::bits == 4 && Clamp::last_code == 15 && !Clamp::has_zero));
  STATIC_REQUIRE((Mask::stated_bits == 4 && Mask::bits == 5 && Mask::last_code == 16 && Mask::has_zero));
}

TEST_CASE("a policy is what it says, for every logarithmic quantizer", "[zero_policy]") {
  check_policies<Log2, 2>();
  check_policies<Log2, 4>();
  check_policies<LogSqrt2, 3>();
  check_policies<LogSqrt2, 5>();
  check_policies<AdaLog, 3>();
}

TEST_CASE("the published floor makes a level of zero where there are codes for it", "[zero_policy]") {
  // -log2(1e-15) = 49.83
  CHECK(Log2<8, ZeroPolicy::mask>{}.encode(0.0f) == 256);
  CHECK(Log2<8, ZeroPolicy::mask, LogFloor::published>{}.encode(0.0f) == 50);
  CHECK(Log2<8, ZeroPolicy::mask, LogFloor::published>{}.encode(-1.0f) == 50);
  CHECK(LogSqrt2<8, ZeroPolicy::mask, LogFloor::published>{}.encode(0.0f) == 100);
  CHECK(AdaLog<8, ZeroPolicy::mask, LogFloor::published>{}.encode(0.0f) == 50);
  CHECK(Log2<4, ZeroPolicy::reserve, LogFloor::published>{}.encode(0.0f) == 15);
}
