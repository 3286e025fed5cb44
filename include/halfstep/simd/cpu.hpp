#pragma once

/// \file
/// Which instruction sets the processor and the operating system of this run support, asked at run time: what a program
/// looks at before it calls into a unit compiled for one of them. The asking itself uses the baseline only; include
/// this header from a unit compiled for the baseline.

#include <iterator>
#include <string_view>

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

/// The names that the functions below take: those of `HALFSTEP_ISA_TAG`, the best first.
inline constexpr std::string_view isa_names[] = {"avx512vnni", "avx512bw", "avxvnni", "avx2", "sse41",
                                                 "ssse3",      "sse2",     "neondot", "neon", "generic"};

#if defined(__x86_64__) || defined(__i386__)

/// One instruction-set extension of x86: the bit of cpuid that tells of it, and the register state that the operating
/// system must save for it, as bits of XCR0 (0: the state that every system saves).
struct X86Feature {
  std::string_view name;
  unsigned leaf, subleaf;
  int output;  ///< 0 to 3: eax, ebx, ecx, edx
  int bit;
  unsigned xcr0;
};

inline constexpr unsigned xcr0_avx = 0x06;     // SSE and AVX registers
inline constexpr unsigned xcr0_avx512 = 0xe6;  // and mask registers, upper halves, registers 16 to 31

/// Each instruction set needs a number of these from the front; `avxvnni` one more, the last. From avx2 on these are
/// what compilers use for an x86-64-v3 processor, such as -march=haswell.
inline constexpr X86Feature x86_features[] = {
    {"sse2", 1, 0, 3, 26, 0},
    {"sse3", 1, 0, 2, 0, 0},
    {"ssse3", 1, 0, 2, 9, 0},
    {"sse4.1", 1, 0, 2, 19, 0},
    {"sse4.2", 1, 0, 2, 20, 0},
    {"popcnt", 1, 0, 2, 23, 0},
    {"movbe", 1, 0, 2, 22, 0},
    {"avx", 1, 0, 2, 28, xcr0_avx},
    {"f16c", 1, 0, 2, 29, xcr0_avx},
    {"fma", 1, 0, 2, 12, xcr0_avx},
    {"avx2", 7, 0, 1, 5, xcr0_avx},
    {"bmi1", 7, 0, 1, 3, 0},
    {"bmi2", 7, 0, 1, 8, 0},
    {"lzcnt", 0x80000001u, 0, 2, 5, 0},
    {"avx512f", 7, 0, 1, 16, xcr0_avx512},
    {"avx512cd", 7, 0, 1, 28, xcr0_avx512},
    {"avx512bw", 7, 0, 1, 30, xcr0_avx512},
    {"avx512dq", 7, 0, 1, 17, xcr0_avx512},
    {"avx512vl", 7, 0, 1, 31, xcr0_avx512},
    {"avx512vnni", 7, 0, 2, 11, xcr0_avx512},
    {"avxvnni", 7, 1, 0, 4, xcr0_avx},
};

/// How many features from the front `isa` needs; 0 for a name of another architecture.
inline constexpr int x86_features_needed(std::string_view isa) {
  if (isa == "sse2") return 1;
  if (isa == "ssse3") return 3;
  if (isa == "sse41") return 4;
  if (isa == "avx2" || isa == "avxvnni") return 14;
  if (isa == "avx512bw") return 19;
  if (isa == "avx512vnni") return 20;
  return 0;
}

/// Whether cpuid reports the feature.
inline bool processor_has(const X86Feature& feature) {
  unsigned out[4] = {};
  if (feature.subleaf != 0) {  // leaf 7 says in eax how many sub-leaves it has
    if (__get_cpuid_count(feature.leaf, 0, &out[0], &out[1], &out[2], &out[3]) == 0) return false;
    if (out[0] < feature.subleaf) return false;
  }
  if (__get_cpuid_count(feature.leaf, feature.subleaf, &out[0], &out[1], &out[2], &out[3]) == 0) return false;
  return (out[feature.output] >> feature.bit & 1u) != 0;
}

/// Whether the operating system saves the register state `xcr0` when it switches threads.
inline bool system_saves(unsigned xcr0) {
  if (xcr0 == 0) return true;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx >> 27 & 1u) == 0) return false;  // no xgetbv
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & xcr0) == xcr0;
}

/// The name of the feature, or of the missing support by the operating system, or nothing.
inline std::string_view missing(const X86Feature& feature) {
  if (!processor_has(feature)) return feature.name;
  if (system_saves(feature.xcr0)) return {};
  return feature.xcr0 == xcr0_avx ? "AVX registers saved by the operating system"
                                  : "AVX-512 registers saved by the operating system";
}

/// The first thing that x86 code of `isa` needs and this machine lacks, or nothing.
inline std::string_view missing_on_this_architecture(std::string_view isa) {
  const int needed = x86_features_needed(isa);
  if (needed == 0) return "an AArch64 processor";
  for (int i = 0; i < needed; ++i) {
    if (const auto lack = missing(x86_features[i]); !lack.empty()) return lack;
  }
  return isa == "avxvnni" ? missing(x86_features[std::size(x86_features) - 1]) : std::string_view{};
}

#elif defined(__aarch64__)

/// The first thing that AArch64 code of `isa` needs and this machine lacks, or nothing.
inline std::string_view missing_on_this_architecture(std::string_view isa) {
  if (isa == "neon") return {};
  if (isa != "neondot") return "an x86 processor";
#if defined(__linux__)
  constexpr unsigned long dot_product = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & dot_product) != 0 ? std::string_view{} : "asimddp";
#elif defined(__ARM_FEATURE_DOTPROD)
  return {};
#else
  return "asimddp";  // this system is not asked; a unit compiled for it would not have started
#endif
}

#else

inline std::string_view missing_on_this_architecture(std::string_view) { return "an x86 or AArch64 processor"; }

#endif

/// The first processor feature, or support by the operating system, that code of the instruction set `isa` needs and
/// this machine lacks: "avx2", "AVX registers saved by the operating system", ... Empty where nothing is missing.
/// Throws for a name that is none of `isa_names`.
[[nodiscard]] inline std::string_view missing_feature(std::string_view isa) {
  for (std::string_view name : isa_names) {
    if (isa == name) return isa == "generic" ? std::string_view{} : missing_on_this_architecture(isa);
  }
  raise("missing_feature", "isa is \"", isa, "\", expected one of avx512vnni, avx512bw, avxvnni, avx2, sse41, ssse3, ",
        "sse2, neondot, neon, generic");
}

/// Whether code of the instruction set `isa` runs on this machine.
[[nodiscard]] inline bool cpu_supports(std::string_view isa) { return simd::missing_feature(isa).empty(); }

/// The first of `isa_names` that runs on this machine.
[[nodiscard]] inline std::string_view best_supported_isa() {
  for (std::string_view isa : isa_names) {
    if (simd::cpu_supports(isa)) return isa;
  }
  return "generic";
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
