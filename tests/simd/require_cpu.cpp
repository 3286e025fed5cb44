#include "halfstep/simd/require_cpu.hpp"

#include <string>

#include "halfstep/simd/cpu.hpp"
#include "support/catch.hpp"

namespace simd = halfstep::simd;

TEST_CASE("a program that runs lacks nothing that it was compiled for") {
  CHECK(simd::missing_compiled_feature() == nullptr);
  simd::require_cpu();
  simd::require_cpu();
}

#if defined(__x86_64__)
TEST_CASE("the baseline asks for nothing, anything else for what its instruction set needs") {
  CHECK(simd::is_baseline == (simd::isa_name == "sse2"));
  const int needed = simd::x86_features_needed(simd::isa_name);
  for (int i = 1; i < needed; ++i) {  // sse2 is part of the architecture
    CAPTURE(std::string(simd::x86_features[i].name));
    if (simd::isa_name == "avx2" && i > 10) break;  // a processor with AVX2 has these, flags may leave them out
    CHECK(simd::compiled_features[i - 1].is_compiled);
    CHECK(std::string(simd::compiled_features[i - 1].name) == simd::x86_features[i].name);
  }
}

TEST_CASE("both ways of asking agree, feature by feature") {
  const unsigned saved = simd::ask_xcr0();
  CHECK(simd::system_saves(simd::xcr0_avx) == ((saved & simd::xcr0_avx) == simd::xcr0_avx));
  for (const auto& feature : simd::x86_features) {
    CAPTURE(std::string(feature.name));
    const bool has = (simd::ask_cpuid(feature.leaf, feature.subleaf, feature.output) >> feature.bit & 1u) != 0;
    CHECK(simd::processor_has(feature) == has);
  }
  CHECK(simd::ask_cpuid(0x7ffffff0u, 0, 0) == 0);
}

TEST_CASE("what is missing is said in full") {
  CHECK_RAISES(simd::raise_missing("movbe"), "halfstep: this program was compiled for " + std::string(simd::isa_name) +
                                                 ", and the processor or the operating system lacks movbe");
}
#endif
