#include "halfstep/simd/isa.hpp"

#include <set>
#include <string>

#include "halfstep/simd/batch.hpp"
#include "simd/routes.hpp"

namespace simd = halfstep::simd;

namespace {

template <class... Isas>
std::set<std::string> names(simd::IsaList<Isas...>) {
  return {std::string(Isas::name)...};
}

}  // namespace

TEST_CASE("the compiled instruction set is the first of the enabled ones, the generic one always among them") {
  const auto enabled = names(simd::EnabledIsas{});
  CHECK(enabled.count("generic") == 1);
  CHECK(enabled.count(std::string(simd::isa_name)) == 1);
  CHECK(simd::isa_lanes * 4 == simd::NativeIsa::bytes);
  CHECK(simd::batch_lanes == simd::isa_lanes);
  CHECK(names(simd::AllIsas{}).size() == 10);
#if defined(__x86_64__)
  CHECK(enabled.count("sse2") == 1);
  CHECK(enabled.count("neon") == 0);
#endif
}
