#pragma once

/// \file
/// The only include of xsimd, and the architecture that the library instantiates it for.
///
/// Any release from 8.1 on will do; simd/native.hpp and its neighbours use only what all of them share: the batch
/// classes, their registers (`.data`), arithmetic, comparison, bitwise and shift operators, `nearbyint` and `floor`.

#include "halfstep/config.hpp"

// The widest registers that halfstep uses under these flags. HALFSTEP_SIMD_GENERIC: none, see simd/portable.hpp.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && \
    defined(__AVX512CD__)
#define HALFSTEP_SIMD_AVX512 1
#define HALFSTEP_XSIMD_ARCH avx512bw
#elif defined(__AVX2__)
#define HALFSTEP_SIMD_AVX2 1
#define HALFSTEP_XSIMD_ARCH avx2
#elif defined(__SSE4_1__)
#define HALFSTEP_SIMD_SSE 1
#define HALFSTEP_XSIMD_ARCH sse4_1
#elif defined(__SSSE3__)
#define HALFSTEP_SIMD_SSE 1
#define HALFSTEP_XSIMD_ARCH ssse3
#elif defined(__SSE2__)
#define HALFSTEP_SIMD_SSE 1
#define HALFSTEP_XSIMD_ARCH sse2
#elif defined(__aarch64__)
#define HALFSTEP_SIMD_NEON 1
#define HALFSTEP_XSIMD_ARCH neon64
#else
#define HALFSTEP_SIMD_GENERIC 1
#endif

#if !defined(HALFSTEP_SIMD_GENERIC)
// Macros of other libraries (X11, <complex.h>, Windows) that name things in xsimd's headers.
#pragma push_macro("I")
#pragma push_macro("min")
#pragma push_macro("max")
#pragma push_macro("small")
#pragma push_macro("near")
#pragma push_macro("far")
#pragma push_macro("None")
#pragma push_macro("Bool")
#pragma push_macro("True")
#pragma push_macro("False")
#pragma push_macro("Always")
#pragma push_macro("Status")
#pragma push_macro("Success")
#pragma push_macro("Complex")
#pragma push_macro("generic")
#undef I
#undef min
#undef max
#undef small
#undef near
#undef far
#undef None
#undef Bool
#undef True
#undef False
#undef Always
#undef Status
#undef Success
#undef Complex
#undef generic

#include <xsimd/xsimd.hpp>

#pragma pop_macro("I")
#pragma pop_macro("min")
#pragma pop_macro("max")
#pragma pop_macro("small")
#pragma pop_macro("near")
#pragma pop_macro("far")
#pragma pop_macro("None")
#pragma pop_macro("Bool")
#pragma pop_macro("True")
#pragma pop_macro("False")
#pragma pop_macro("Always")
#pragma pop_macro("Status")
#pragma pop_macro("Success")
#pragma pop_macro("Complex")
#pragma pop_macro("generic")

#define HALFSTEP_XSIMD_VERSION (XSIMD_VERSION_MAJOR * 100 + XSIMD_VERSION_MINOR)
#if HALFSTEP_XSIMD_VERSION < 801
#error "halfstep needs xsimd 8.1 or newer"
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

/// An architecture of our own with the registers of xsimd's. Its name carries the library's inline namespace, so that
/// the batch functions of two translation units with different flags are different symbols (docs/isa.md).
struct NativeArch : xsimd::HALFSTEP_XSIMD_ARCH {};

/// The register of `xsimd::batch_bool<T, NativeArch>`.
template <class T>
struct NativeMaskRegister {
  using register_type = typename xsimd::types::get_bool_simd_register_t<T, xsimd::HALFSTEP_XSIMD_ARCH>::register_type;
  register_type data;
  NativeMaskRegister() = default;
  NativeMaskRegister(register_type value) noexcept : data(value) {}
  operator register_type() const noexcept { return data; }
};

}  // namespace halfstep::inline HALFSTEP_ABI::simd

// The registers of NativeArch, in classes of its own: an alias of xsimd's, which inherits from its register, would
// share that one's member functions with every unit that uses xsimd.
namespace xsimd::types {

template <class T>
struct has_simd_register<T, halfstep::simd::NativeArch> : has_simd_register<T, ::xsimd::HALFSTEP_XSIMD_ARCH> {};

template <class T>
struct simd_register<T, halfstep::simd::NativeArch> {
  using register_type = typename simd_register<T, ::xsimd::HALFSTEP_XSIMD_ARCH>::register_type;
  register_type data;
  simd_register() = default;
  simd_register(register_type value) noexcept : data(value) {}
  operator register_type() const noexcept { return data; }
};

template <class T>
struct get_bool_simd_register<T, halfstep::simd::NativeArch> {
  using type = halfstep::simd::NativeMaskRegister<T>;
};

}  // namespace xsimd::types
#endif
