#pragma once

/// \file
/// How a translation unit sees the library: its version, and the flags that the library's inline namespace names.

#include "halfstep/config.hpp"

#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// What this translation unit was compiled with; other units of the same program may differ.
struct BuildInfo {
  std::string_view version;   ///< of the library, "0.1.0"
  std::string_view isa;       ///< the instruction set of its vector code, one of simd::isa_names
  std::string_view abi;       ///< the inline namespace: version, instruction set, extensions, other flags
  std::string_view compiler;  ///< "g++ 12.2.0"
  bool exceptions = true;     ///< whether errors are thrown, or go to the handler (core/error.hpp)
  bool fast_math = false;     ///< -ffast-math or -ffinite-math-only: bits may differ from those promised
  bool assertions = false;    ///< whether NDEBUG is missing
};

#define HALFSTEP_TEXT_(x) #x
#define HALFSTEP_TEXT(x) HALFSTEP_TEXT_(x)

/// The facts about this translation unit.
[[nodiscard]] constexpr BuildInfo build_info() {
  BuildInfo info;
  info.version = HALFSTEP_TEXT(HALFSTEP_VERSION_MAJOR) "." HALFSTEP_TEXT(HALFSTEP_VERSION_MINOR) "." HALFSTEP_TEXT(
      HALFSTEP_VERSION_PATCH);
  info.isa = HALFSTEP_TEXT(HALFSTEP_ISA_TAG);
  info.abi = HALFSTEP_TEXT(HALFSTEP_ABI);
#if defined(__clang__)
  info.compiler = "clang++ " HALFSTEP_TEXT(__clang_major__) "." HALFSTEP_TEXT(__clang_minor__) "." HALFSTEP_TEXT(
      __clang_patchlevel__);
#elif defined(__GNUC__)
  info.compiler =
      "g++ " HALFSTEP_TEXT(__GNUC__) "." HALFSTEP_TEXT(__GNUC_MINOR__) "." HALFSTEP_TEXT(__GNUC_PATCHLEVEL__);
#else
  info.compiler = "unknown";
#endif
  info.exceptions = HALFSTEP_HAS_EXCEPTIONS != 0;
  info.fast_math = sizeof(HALFSTEP_TEXT(HALFSTEP_FAST_MATH_TAG)) > 1;
  info.assertions = sizeof(HALFSTEP_TEXT(HALFSTEP_DEBUG_TAG)) > 1;
  return info;
}

#undef HALFSTEP_TEXT
#undef HALFSTEP_TEXT_

/// One line for logs: "halfstep 0.1.0 (v0_1_avx2_xabcdhijklm), avx2, g++ 12.2.0".
inline void append_text(std::string& text, const BuildInfo& info) {
  text.append("halfstep ").append(info.version).append(" (").append(info.abi).append("), ");
  text.append(info.isa).append(", ").append(info.compiler);
}

}  // namespace halfstep::inline HALFSTEP_ABI
