#pragma once

/// \file
/// The instruction sets that halfstep has routes for, as tag types, and which of them this translation unit may use.

#include "halfstep/config.hpp"

#include <cstddef>
#include <string_view>
#include <type_traits>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

/// The value of a preprocessor condition: `defined(X)` cannot be written in a constant expression.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && \
    defined(__AVX512CD__)
inline constexpr bool has_avx512bw = true;
#else
inline constexpr bool has_avx512bw = false;
#endif
#if defined(__AVX512VNNI__)
inline constexpr bool has_avx512vnni = has_avx512bw;
#else
inline constexpr bool has_avx512vnni = false;
#endif
#if defined(__AVX2__)
inline constexpr bool has_avx2 = true;
#else
inline constexpr bool has_avx2 = false;
#endif
#if defined(__AVXVNNI__)
inline constexpr bool has_avxvnni = has_avx2;
#else
inline constexpr bool has_avxvnni = has_avx512vnni;  // the same instruction on 256 bits, in its EVEX encoding
#endif
#if defined(__SSE4_1__)
inline constexpr bool has_sse41 = true;
#else
inline constexpr bool has_sse41 = false;
#endif
#if defined(__SSSE3__)
inline constexpr bool has_ssse3 = true;
#else
inline constexpr bool has_ssse3 = false;
#endif
#if defined(__SSE2__)
inline constexpr bool has_sse2 = true;
#else
inline constexpr bool has_sse2 = false;
#endif
#if defined(__aarch64__)
inline constexpr bool has_neon = true;
#else
inline constexpr bool has_neon = false;
#endif
#if defined(__ARM_FEATURE_DOTPROD)
inline constexpr bool has_neondot = has_neon;
#else
inline constexpr bool has_neondot = false;
#endif

/// Tags. `name`: as in `HALFSTEP_ISA_TAG` and on command lines. `bytes`: of a vector register. `enabled`: whether the
/// flags of this translation unit allow the route, which may be so for several tags.
namespace isa {

struct Avx512Vnni {
  static constexpr std::string_view name = "avx512vnni";
  static constexpr std::size_t bytes = 64;
  static constexpr bool enabled = has_avx512vnni;
};
struct Avx512Bw {
  static constexpr std::string_view name = "avx512bw";
  static constexpr std::size_t bytes = 64;
  static constexpr bool enabled = has_avx512bw;
};
struct AvxVnni {
  static constexpr std::string_view name = "avxvnni";
  static constexpr std::size_t bytes = 32;
  static constexpr bool enabled = has_avxvnni;
};
struct Avx2 {
  static constexpr std::string_view name = "avx2";
  static constexpr std::size_t bytes = 32;
  static constexpr bool enabled = has_avx2;
};
struct Sse41 {
  static constexpr std::string_view name = "sse41";
  static constexpr std::size_t bytes = 16;
  static constexpr bool enabled = has_sse41;
};
struct Ssse3 {
  static constexpr std::string_view name = "ssse3";
  static constexpr std::size_t bytes = 16;
  static constexpr bool enabled = has_ssse3;
};
struct Sse2 {
  static constexpr std::string_view name = "sse2";
  static constexpr std::size_t bytes = 16;
  static constexpr bool enabled = has_sse2;
};
struct NeonDot {
  static constexpr std::string_view name = "neondot";
  static constexpr std::size_t bytes = 16;
  static constexpr bool enabled = has_neondot;
};
struct Neon {
  static constexpr std::string_view name = "neon";
  static constexpr std::size_t bytes = 16;
  static constexpr bool enabled = has_neon;
};
struct Generic {
  static constexpr std::string_view name = "generic";
  static constexpr std::size_t bytes = 16;
  static constexpr bool enabled = true;
};

}  // namespace isa

/// A list of tags.
template <class... Isas>
struct IsaList {};

/// Every tag, the best first.
using AllIsas = IsaList<isa::Avx512Vnni, isa::Avx512Bw, isa::AvxVnni, isa::Avx2, isa::Sse41, isa::Ssse3, isa::Sse2,
                        isa::NeonDot, isa::Neon, isa::Generic>;

/// The tags of a list that are enabled, in its order: what `type` is.
template <class List, class Kept = IsaList<>>
struct EnabledOf {
  using type = Kept;
};
template <class First, class... Rest, class... Kept>
struct EnabledOf<IsaList<First, Rest...>, IsaList<Kept...>>
    : EnabledOf<IsaList<Rest...>, std::conditional_t<First::enabled, IsaList<Kept..., First>, IsaList<Kept...>>> {};

/// The tags that this translation unit may instantiate a route for, the best first.
using EnabledIsas = typename EnabledOf<AllIsas>::type;

/// The first tag of a list: what `type` is.
template <class List>
struct FirstOf;
template <class First, class... Rest>
struct FirstOf<IsaList<First, Rest...>> {
  using type = First;
};

/// The best instruction set that the flags of this translation unit allow.
using NativeIsa = typename FirstOf<EnabledIsas>::type;

/// Its name, such as "avx2", and the int32 lanes of its registers.
inline constexpr std::string_view isa_name = NativeIsa::name;
inline constexpr std::size_t isa_lanes = NativeIsa::bytes / 4;

#define HALFSTEP_TEXT_(x) #x
#define HALFSTEP_TEXT(x) HALFSTEP_TEXT_(x)
static_assert(isa_name == HALFSTEP_TEXT(HALFSTEP_ISA_TAG), "config.hpp and isa.hpp read the flags differently");
#undef HALFSTEP_TEXT
#undef HALFSTEP_TEXT_

}  // namespace halfstep::inline HALFSTEP_ABI::simd
