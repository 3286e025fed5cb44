# The options of halfstep's own tests, benchmarks and examples, as a target that none of them hands on.

include(CheckCXXCompilerFlag)

add_library(halfstep_development INTERFACE)
target_link_libraries(halfstep_development INTERFACE halfstep::halfstep)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(halfstep_development INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
endif()
# The AVX-512 intrinsics of g++ 12 read a variable that they initialize with itself.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(halfstep_development INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
if(HALFSTEP_NATIVE)
  check_cxx_compiler_flag(-march=native HALFSTEP_HAS_MARCH_NATIVE)
  if(HALFSTEP_HAS_MARCH_NATIVE)
    target_compile_options(halfstep_development INTERFACE -march=native)
  else()
    message(WARNING "HALFSTEP_NATIVE: this compiler does not take -march=native; building for its default CPU")
  endif()
endif()

# The floors of include/halfstep, from the ground up, and those of them that need halfstep::io.
set(halfstep_floors core simd quantizers kernels calibrators io layers models recipes report)
set(halfstep_io_floors io layers models recipes report)
