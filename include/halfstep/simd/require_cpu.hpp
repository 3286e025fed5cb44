#pragma once

/// \file
/// A unit that was compiled for a newer processor than it runs on says which feature is missing, where it would
/// otherwise end in an illegal instruction: `missing_compiled_feature` for programs, `require_cpu` within the library.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/simd/cpu.hpp"
#include "halfstep/simd/isa.hpp"

#include <atomic>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::simd {

#if defined(__x86_64__)

/// What `X86Feature` says, and whether the flags of this unit let the compiler use it.
struct CompiledFeature {
  const char* name;
  unsigned leaf, subleaf;
  int output, bit;
  unsigned xcr0;
  bool is_compiled;
};

/// `feature` as it is asked for below.
[[nodiscard]] constexpr CompiledFeature compiled(const X86Feature& feature, bool is_compiled) {
  return {feature.name.data(), feature.leaf, feature.subleaf, feature.output, feature.bit, feature.xcr0, is_compiled};
}

// 1 or 0: whether a macro is defined as 1.
#define HALFSTEP_COMPILED(macro) (HALFSTEP_LETTER(macro, 1) + 0)

inline constexpr CompiledFeature compiled_features[] = {
    compiled(x86_features[1], HALFSTEP_COMPILED(__SSE3__)),
    compiled(x86_features[2], HALFSTEP_COMPILED(__SSSE3__)),
    compiled(x86_features[3], HALFSTEP_COMPILED(__SSE4_1__)),
    compiled(x86_features[4], HALFSTEP_COMPILED(__SSE4_2__)),
    compiled(x86_features[5], HALFSTEP_COMPILED(__POPCNT__)),
    compiled(x86_features[6], HALFSTEP_COMPILED(__MOVBE__)),
    compiled(x86_features[7], HALFSTEP_COMPILED(__AVX__)),
    compiled(x86_features[8], HALFSTEP_COMPILED(__F16C__)),
    compiled(x86_features[9], HALFSTEP_COMPILED(__FMA__)),
    compiled(x86_features[10], HALFSTEP_COMPILED(__AVX2__)),
    compiled(x86_features[11], HALFSTEP_COMPILED(__BMI__)),
    compiled(x86_features[12], HALFSTEP_COMPILED(__BMI2__)),
    compiled(x86_features[13], HALFSTEP_COMPILED(__LZCNT__)),
    compiled(x86_features[14], HALFSTEP_COMPILED(__AVX512F__)),
    compiled(x86_features[15], HALFSTEP_COMPILED(__AVX512CD__)),
    compiled(x86_features[16], HALFSTEP_COMPILED(__AVX512BW__)),
    compiled(x86_features[17], HALFSTEP_COMPILED(__AVX512DQ__)),
    compiled(x86_features[18], HALFSTEP_COMPILED(__AVX512VL__)),
    compiled(x86_features[19], HALFSTEP_COMPILED(__AVX512VNNI__)),
    compiled(x86_features[20], HALFSTEP_COMPILED(__AVXVNNI__)),
    {"avx512ifma", 7, 0, 1, 21, xcr0_avx512, HALFSTEP_COMPILED(__AVX512IFMA__)},
    {"avx512vbmi", 7, 0, 2, 1, xcr0_avx512, HALFSTEP_COMPILED(__AVX512VBMI__)},
    {"avx512vbmi2", 7, 0, 2, 6, xcr0_avx512, HALFSTEP_COMPILED(__AVX512VBMI2__)},
    {"gfni", 7, 0, 2, 8, 0, HALFSTEP_COMPILED(__GFNI__)},
    {"avx512bitalg", 7, 0, 2, 12, xcr0_avx512, HALFSTEP_COMPILED(__AVX512BITALG__)},
    {"avx512vpopcntdq", 7, 0, 2, 14, xcr0_avx512, HALFSTEP_COMPILED(__AVX512VPOPCNTDQ__)},
    {"avx512fp16", 7, 0, 3, 23, xcr0_avx512, HALFSTEP_COMPILED(__AVX512FP16__)},
    {"avx512bf16", 7, 1, 0, 5, xcr0_avx512, HALFSTEP_COMPILED(__AVX512BF16__)},
    {"xop", 0x80000001u, 0, 2, 11, xcr0_avx, HALFSTEP_COMPILED(__XOP__)},
    {"fma4", 0x80000001u, 0, 2, 16, xcr0_avx, HALFSTEP_COMPILED(__FMA4__)},
    {"tbm", 0x80000001u, 0, 2, 21, 0, HALFSTEP_COMPILED(__TBM__)},
    {"sse4a", 0x80000001u, 0, 2, 6, 0, HALFSTEP_COMPILED(__SSE4A__)},
};

#undef HALFSTEP_COMPILED

/// Whether the flags allow anything beyond the baseline.
inline constexpr bool is_baseline = [] {
  for (const CompiledFeature& feature : compiled_features) {
    if (feature.is_compiled) return false;
  }
  return true;
}();

// Functions compiled for the baseline whatever the flags say. They may call each other and what is compiled elsewhere;
// any other function of this unit may hold the very instructions in question.
#define HALFSTEP_BASELINE gnu::noinline, gnu::target("no-avx,no-sse3,no-popcnt,no-movbe,no-bmi,no-bmi2,no-lzcnt")

/// The output of cpuid at this index, or 0 where the processor has no such leaf.
[[HALFSTEP_BASELINE]] inline unsigned ask_cpuid(unsigned leaf, unsigned subleaf, int output) {
  unsigned out[4];
  asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf & 0x80000000u), "c"(0));
  if (out[0] < leaf) return 0;
  asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
  if (out[0] < subleaf) return 0;  // a leaf with sub-leaves says here how many
  asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
  return out[output];
}

/// The register state that the operating system saves.
[[HALFSTEP_BASELINE]] inline unsigned ask_xcr0() {
  if ((ask_cpuid(1, 0, 2) >> 27 & 1u) == 0) return 0;
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// The first feature that this unit was compiled for and this run lacks, in the processor or for want of an operating
/// system that saves its registers, or null. Throws nothing, and neither it nor a caller that prints and returns needs
/// more than the baseline, which a handler of exceptions may: g++ starts it with an AVX instruction. So a program's
/// main, whose own code is compiled with the same flags, does best to begin with:
///
///     if (const char* lack = hs::simd::missing_compiled_feature()) return std::puts(lack), 2;
[[HALFSTEP_BASELINE]] inline const char* missing_compiled_feature() {
  const unsigned saved = ask_xcr0();
  for (const CompiledFeature& f : compiled_features) {
    if (!f.is_compiled) continue;
    if ((ask_cpuid(f.leaf, f.subleaf, f.output) >> f.bit & 1u) == 0 || (saved & f.xcr0) != f.xcr0) return f.name;
  }
  return nullptr;
}

/// Throws the message about `lack`.
[[noreturn, HALFSTEP_BASELINE]] inline void raise_missing(const char* lack) {
  const char* const parts[] = {"halfstep: this program was compiled for ", isa_name.data(),
                               ", and the processor or the operating system lacks ", lack};
  char message[200];
  char* end = message;
  for (const char* part : parts) {
    while (*part != '\0') *end++ = *part++;
  }
  *end = '\0';
#if HALFSTEP_HAS_EXCEPTIONS
  throw Error(message);
#else
  raise_message(message);
#endif
}

#undef HALFSTEP_BASELINE

/// Whether this unit has asked already.
inline constinit std::atomic<bool> is_cpu_known{false};

/// Refuses a machine that lacks what this unit was compiled for; nothing where that is the architecture's baseline.
/// `quantize`, `pack` and `matmul` call it first. Costs a load and a branch after the first call. Errors: the missing
/// feature, by name.
inline void require_cpu() {
  if constexpr (!is_baseline) {
    if (is_cpu_known.load(std::memory_order_relaxed)) return;
    if (const char* const lack = missing_compiled_feature()) raise_missing(lack);
    is_cpu_known.store(true, std::memory_order_relaxed);
  }
}

#else

/// The same on other architectures, where the questions themselves may be compiled for what is missing.
inline const char* missing_compiled_feature() {
  const std::string_view lack = simd::missing_feature(isa_name);
  return lack.empty() ? nullptr : lack.data();
}
inline void require_cpu() {
  static const char* const lack = missing_compiled_feature();
  if (lack != nullptr) raise("require_cpu", "this program was compiled for ", isa_name, ", the processor lacks ", lack);
}

#endif

}  // namespace halfstep::inline HALFSTEP_ABI::simd
