#pragma once

/// \file
/// Every macro of the library, and the name of the inline namespace that holds it all.
///
/// The namespace names the version and each compile flag that changes the body of a function or the choice of an
/// instruction. Two translation units built with different flags therefore share none of halfstep's functions: the
/// linker cannot hand one of them code that the other's CPU check never allowed. See docs/isa.md.

#include "halfstep/version.hpp"

#if __cplusplus < 202002L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 202002L)
#error "halfstep needs C++20: compile with -std=c++20 or newer"
#endif

// --- the instruction set that the flags of this translation unit allow -------------------------------------------
// One tag per dot-product route of simd/dot.hpp; a wider set includes the narrower ones.
#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && \
    defined(__AVX512CD__)
#define HALFSTEP_ISA_TAG avx512vnni
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && \
    defined(__AVX512CD__)
#define HALFSTEP_ISA_TAG avx512bw
#elif defined(__AVXVNNI__) && defined(__AVX2__)
#define HALFSTEP_ISA_TAG avxvnni
#elif defined(__AVX2__)
#define HALFSTEP_ISA_TAG avx2
#elif defined(__SSE4_1__)
#define HALFSTEP_ISA_TAG sse41
#elif defined(__SSSE3__)
#define HALFSTEP_ISA_TAG ssse3
#elif defined(__SSE2__)
#define HALFSTEP_ISA_TAG sse2
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#define HALFSTEP_ISA_TAG neondot
#elif defined(__aarch64__)
#define HALFSTEP_ISA_TAG neon
#else
#define HALFSTEP_ISA_TAG generic
#endif

// --- extensions beside it, which a compiler uses wherever it likes ------------------------------------------------
// A letter for each, so that units for, say, Cascade Lake and Ice Lake stay apart although both take the same route. A
// macro that is defined as 1 turns HALFSTEP_FLAG_ into two arguments, and its letter becomes the second.
#define HALFSTEP_FLAG_1 _,
#define HALFSTEP_SECOND(first, second, ...) second
#define HALFSTEP_LETTER_OF(flag, letter) HALFSTEP_SECOND(flag letter, , )
#define HALFSTEP_LETTER_(value, letter) HALFSTEP_LETTER_OF(HALFSTEP_FLAG_##value, letter)
#define HALFSTEP_LETTER(macro, letter) HALFSTEP_LETTER_(macro, letter)
#define HALFSTEP_PASTE8_(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h
#define HALFSTEP_PASTE8(a, b, c, d, e, f, g, h) HALFSTEP_PASTE8_(a, b, c, d, e, f, g, h)

#if defined(__aarch64__)
#define HALFSTEP_EXTENSIONS_TAG                                                                          \
  HALFSTEP_PASTE8(_x, HALFSTEP_LETTER(__ARM_FEATURE_ATOMICS, a), HALFSTEP_LETTER(__ARM_FEATURE_BF16, b), \
                  HALFSTEP_LETTER(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC, h),                              \
                  HALFSTEP_LETTER(__ARM_FEATURE_MATMUL_INT8, i), HALFSTEP_LETTER(__ARM_FEATURE_SHA3, s), \
                  HALFSTEP_LETTER(__ARM_FEATURE_SVE, v), HALFSTEP_LETTER(__ARM_FEATURE_SVE2, w))
#else
#define HALFSTEP_OLD_X86_TAG                                                                                        \
  HALFSTEP_PASTE8(_x, HALFSTEP_LETTER(__SSE3__, a), HALFSTEP_LETTER(__SSE4_2__, b), HALFSTEP_LETTER(__POPCNT__, c), \
                  HALFSTEP_LETTER(__MOVBE__, d), HALFSTEP_LETTER(__SSE4A__, e), HALFSTEP_LETTER(__XOP__, f),        \
                  HALFSTEP_LETTER(__FMA4__, g))
#define HALFSTEP_AVX_TAG                                                                                    \
  HALFSTEP_PASTE8(HALFSTEP_LETTER(__AVX__, h), HALFSTEP_LETTER(__F16C__, i), HALFSTEP_LETTER(__FMA__, j),   \
                  HALFSTEP_LETTER(__BMI__, k), HALFSTEP_LETTER(__BMI2__, l), HALFSTEP_LETTER(__LZCNT__, m), \
                  HALFSTEP_LETTER(__TBM__, n), HALFSTEP_LETTER(__GFNI__, o))
#define HALFSTEP_AVX512_TAG                                                                      \
  HALFSTEP_PASTE8(HALFSTEP_LETTER(__AVX512F__, p), HALFSTEP_LETTER(__AVX512IFMA__, q),           \
                  HALFSTEP_LETTER(__AVX512VBMI__, r), HALFSTEP_LETTER(__AVX512VBMI2__, s),       \
                  HALFSTEP_LETTER(__AVX512BITALG__, t), HALFSTEP_LETTER(__AVX512VPOPCNTDQ__, u), \
                  HALFSTEP_LETTER(__AVX512BF16__, v), HALFSTEP_LETTER(__AVX512FP16__, w))
#define HALFSTEP_NEW_AVX_TAG                                                                 \
  HALFSTEP_PASTE8(HALFSTEP_LETTER(__AVXVNNI__, x), HALFSTEP_LETTER(__AVXIFMA__, y),          \
                  HALFSTEP_LETTER(__AVXVNNIINT8__, z), HALFSTEP_LETTER(__AVXNECONVERT__, A), \
                  HALFSTEP_LETTER(__AVX10_1__, B), HALFSTEP_LETTER(__AVX10_2__, C), HALFSTEP_LETTER(__APX_F__, D), )
#define HALFSTEP_EXTENSIONS_TAG \
  HALFSTEP_PASTE8(HALFSTEP_OLD_X86_TAG, HALFSTEP_AVX_TAG, HALFSTEP_AVX512_TAG, HALFSTEP_NEW_AVX_TAG, , , , )
#endif

// --- the other flags that change a body ---------------------------------------------------------------------------
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define HALFSTEP_HAS_EXCEPTIONS 1
#define HALFSTEP_EXCEPTIONS_TAG
#else
#define HALFSTEP_HAS_EXCEPTIONS 0
#define HALFSTEP_EXCEPTIONS_TAG _noexc
#endif

#if defined(__FAST_MATH__)
#define HALFSTEP_FAST_MATH_TAG _fastmath
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0
#define HALFSTEP_FAST_MATH_TAG _finite
#else
#define HALFSTEP_FAST_MATH_TAG
#endif

#if defined(NDEBUG)
#define HALFSTEP_DEBUG_TAG
#else
#define HALFSTEP_DEBUG_TAG _debug
#endif

#if defined(__CHAR_UNSIGNED__)
#define HALFSTEP_CHAR_TAG _uchar
#else
#define HALFSTEP_CHAR_TAG
#endif

#define HALFSTEP_VERSION_TAG_(major, minor) v##major##_##minor##_
#define HALFSTEP_VERSION_TAG(major, minor) HALFSTEP_VERSION_TAG_(major, minor)

/// The inline namespace: `namespace halfstep::inline HALFSTEP_ABI { ... }`.
#define HALFSTEP_ABI                                                                                            \
  HALFSTEP_PASTE8(HALFSTEP_VERSION_TAG(HALFSTEP_VERSION_MAJOR, HALFSTEP_VERSION_MINOR), HALFSTEP_ISA_TAG,       \
                  HALFSTEP_EXTENSIONS_TAG, HALFSTEP_EXCEPTIONS_TAG, HALFSTEP_FAST_MATH_TAG, HALFSTEP_DEBUG_TAG, \
                  HALFSTEP_CHAR_TAG, )
