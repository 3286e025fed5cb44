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

// --- the other flags that change a body ---------------------------------------------------------------------------
#if defined(__FMA__)
#define HALFSTEP_FMA_TAG _fma
#else
#define HALFSTEP_FMA_TAG
#endif

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define HALFSTEP_HAS_EXCEPTIONS 1
#define HALFSTEP_EXCEPTIONS_TAG
#else
#define HALFSTEP_HAS_EXCEPTIONS 0
#define HALFSTEP_EXCEPTIONS_TAG _noexc
#endif

#if defined(__FAST_MATH__)
#define HALFSTEP_FAST_MATH_TAG _fastmath
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

#define HALFSTEP_PASTE7_(v, a, b, c, d, e, f) v##a##b##c##d##e##f
#define HALFSTEP_PASTE7(v, a, b, c, d, e, f) HALFSTEP_PASTE7_(v, a, b, c, d, e, f)

/// The inline namespace: `namespace halfstep::inline HALFSTEP_ABI { ... }`.
#define HALFSTEP_ABI                                                                                          \
  HALFSTEP_PASTE7(v0_1_, HALFSTEP_ISA_TAG, HALFSTEP_FMA_TAG, HALFSTEP_EXCEPTIONS_TAG, HALFSTEP_FAST_MATH_TAG, \
                  HALFSTEP_DEBUG_TAG, HALFSTEP_CHAR_TAG)
