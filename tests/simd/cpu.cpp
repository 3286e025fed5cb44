#include "halfstep/simd/cpu.hpp"

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "halfstep/simd/isa.hpp"
#include "support/catch.hpp"

namespace simd = halfstep::simd;

namespace {

template <class... Isas>
std::vector<std::string_view> names_in_order(simd::IsaList<Isas...>) {
  return {Isas::name...};
}

#if defined(__x86_64__)
/// What Linux says the processor has and it has enabled, in its own spelling; empty elsewhere.
std::set<std::string> flags_by_linux() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line);
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}
#endif

}  // namespace

TEST_CASE("the processor that runs a program supports what it was compiled for") {
  for (std::string_view isa : names_in_order(simd::EnabledIsas{})) {
    CAPTURE(std::string(isa));
    if (isa == "avxvnni" && !simd::cpu_supports("avxvnni")) continue;  // enabled in its EVEX form by AVX-512 VNNI
    CHECK(std::string(simd::missing_feature(isa)) == "");
  }
  CHECK(simd::cpu_supports(simd::isa_name));
  CHECK(simd::cpu_supports("generic"));
}

TEST_CASE("the names_in_order are those of the tags, and the best supported one is the first") {
  const auto tags = names_in_order(simd::AllIsas{});
  REQUIRE(tags.size() == std::size(simd::isa_names));
  for (std::size_t i = 0; i < tags.size(); ++i) CHECK(tags[i] == simd::isa_names[i]);
  const auto best = simd::best_supported_isa();
  for (std::string_view isa : simd::isa_names) {
    if (isa == best) break;
    CHECK_FALSE(simd::cpu_supports(isa));
  }
}

TEST_CASE("an unknown name is an error, another architecture is named as missing") {
  CHECK_RAISES(simd::missing_feature("avx3"), "missing_feature: isa is \"avx3\", expected one of avx512vnni");
#if defined(__x86_64__)
  CHECK(std::string(simd::missing_feature("neon")) == "an AArch64 processor");
#elif defined(__aarch64__)
  CHECK(std::string(simd::missing_feature("avx2")) == "an x86 processor");
#endif
}

#if defined(__x86_64__)
TEST_CASE("what cpuid and xgetbv say is what Linux says") {
  const auto flags = flags_by_linux();
  const std::map<std::string, std::string> spelling = {{"sse3", "pni"},         {"sse4.1", "sse4_1"},
                                                       {"sse4.2", "sse4_2"},    {"lzcnt", "abm"},
                                                       {"avxvnni", "avx_vnni"}, {"avx512vnni", "avx512_vnni"}};
  if (flags.empty()) {
    WARN("no /proc/cpuinfo to compare with");
    return;
  }
  for (const auto& feature : simd::x86_features) {
    const std::string name(feature.name);
    const auto other = spelling.find(name);
    CAPTURE(name);
    CHECK(simd::missing(feature).empty() == (flags.count(other == spelling.end() ? name : other->second) == 1));
  }
  // The system's part alone: avx registers are saved exactly where Linux lists avx at all.
  CHECK(simd::system_saves(simd::xcr0_avx) == (flags.count("avx") == 1));
}

TEST_CASE("the first missing feature is named") {
  if (!simd::cpu_supports("avx2") || simd::cpu_supports("avx512bw")) return;
  CHECK(std::string(simd::missing_feature("avx512bw")) == "avx512f");
  CHECK(std::string(simd::missing_feature("avx512vnni")) == "avx512f");
}
#endif
