# halfstep_add_isa_variants(<target> [ISAS <name>...])
#
# Compiles halfstep's kernels once per instruction set into <target>, which then chooses among them when it starts:
# `halfstep::use_best_kernels()` of halfstep/kernels/dispatch.hpp, see docs/isa.md. Nothing else of <target> is compiled
# with other flags than before. Without ISAS: all that halfstep has for this architecture and the compiler knows.
# Names are those of halfstep::simd::isa_names: sse2 avx2 avxvnni avx512bw avx512vnni neon neondot.

# The flags of an instruction set, or an empty list for an unknown name.
function(halfstep_isa_flags isa result)
  set(sse2 -march=x86-64)
  set(avx2 -march=x86-64-v3)
  set(avxvnni -march=x86-64-v3 -mavxvnni)
  set(avx512bw -march=x86-64-v4)
  set(avx512vnni -march=x86-64-v4 -mavx512vnni)
  set(neon -march=armv8-a)
  set(neondot -march=armv8.2-a+dotprod)
  set(${result} "")
  if(isa MATCHES "^(sse2|avx2|avxvnni|avx512bw|avx512vnni|neon|neondot)$")
    set(${result} ${${isa}})
  endif()
  set(${result} "${${result}}" PARENT_SCOPE)
endfunction()

# One unit of one instruction set: a constant table, nothing that runs by itself.
function(halfstep_write_isa_unit isa file)
  file(CONFIGURE OUTPUT "${file}" @ONLY CONTENT [[
#include "halfstep/kernels/kernel_table.hpp"
#include "halfstep/kernels/tile_compiled.hpp"

#define HALFSTEP_IS_@isa@ 1
#define HALFSTEP_IS(isa) HALFSTEP_IS_(isa)
#define HALFSTEP_IS_(isa) HALFSTEP_IS_##isa
#if HALFSTEP_IS(HALFSTEP_ISA_TAG) != 1
#error "this unit is compiled with flags of another instruction set than @isa@: CMAKE_CXX_FLAGS names one, too"
#endif

namespace halfstep {
extern const KernelTable kernels_@isa@;
constinit const KernelTable kernels_@isa@{"@isa@", &compiled_tile()};
}  // namespace halfstep
]])
endfunction()

function(halfstep_add_isa_variants target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ISAS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "halfstep_add_isa_variants: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  include(CheckCXXCompilerFlag)
  set(isas ${arg_ISAS})
  if(NOT isas AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(isas sse2 avx2 avxvnni avx512bw avx512vnni)
  elseif(NOT isas AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(isas neon neondot)
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}_halfstep_kernels")
  set(declarations "")
  set(entries "")
  foreach(isa IN LISTS isas)
    halfstep_isa_flags(${isa} options)
    if(NOT options)
      message(FATAL_ERROR "halfstep_add_isa_variants: unknown instruction set \"${isa}\", expected some of sse2, avx2, "
                          "avxvnni, avx512bw, avx512vnni, neon, neondot")
    endif()
    list(JOIN options " " flags)
    check_cxx_compiler_flag("${flags}" HALFSTEP_COMPILER_HAS_${isa})
    if(NOT HALFSTEP_COMPILER_HAS_${isa})
      if(arg_ISAS)
        message(FATAL_ERROR "halfstep_add_isa_variants: this compiler does not take ${flags}, needed for ${isa}")
      endif()
      continue()
    endif()
    halfstep_write_isa_unit(${isa} "${folder}/kernels_${isa}.cpp")
    set(unit ${target}_halfstep_kernels_${isa})
    add_library(${unit} OBJECT "${folder}/kernels_${isa}.cpp")
    target_link_libraries(${unit} PRIVATE halfstep::halfstep)
    target_compile_options(${unit} PRIVATE ${options})
    set_target_properties(${unit} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${unit}>)
    set_property(TARGET ${target} APPEND PROPERTY HALFSTEP_ISAS ${isa})
    string(APPEND declarations "extern const KernelTable kernels_${isa};\n")
    string(APPEND entries "&kernels_${isa}, ")
  endforeach()

  file(CONFIGURE OUTPUT "${folder}/kernel_tables.cpp" @ONLY CONTENT [[
#include "halfstep/kernels/kernel_table.hpp"

namespace halfstep {
@declarations@
constinit const KernelTable* const linked_kernel_tables[] = {@entries@nullptr};
}  // namespace halfstep
]])
  target_sources(${target} PRIVATE "${folder}/kernel_tables.cpp")
  target_link_libraries(${target} PRIVATE halfstep::halfstep)
endfunction()
