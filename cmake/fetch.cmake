# The fallback where a dependency is not installed: a pinned release, and only if HALFSTEP_FETCH_DEPENDENCIES is on.
# Pinned by commit, which names the content as a hash of an archive would. Of header-only projects nothing but the
# headers is used, so their own build files stay out (SOURCE_SUBDIR names a folder that is not there).

include(FetchContent)

FetchContent_Declare(
  halfstep_eigen_sources
  GIT_REPOSITORY https://gitlab.com/libeigen/eigen.git
  GIT_TAG bc3b39870ecb690a623a3f49149a358b95c5781d # 5.0.1
  SOURCE_SUBDIR no-build)
set(halfstep_eigen_fetched_include .)

FetchContent_Declare(
  halfstep_xsimd_sources
  GIT_REPOSITORY https://github.com/xtensor-stack/xsimd.git
  GIT_TAG e88a72831858123924f7118f345dfe5d70d95991 # 14.3.0
  SOURCE_SUBDIR no-build)
set(halfstep_xsimd_fetched_include include)

FetchContent_Declare(
  halfstep_json_sources
  GIT_REPOSITORY https://github.com/nlohmann/json.git
  GIT_TAG 9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03 # 3.11.3
  SOURCE_SUBDIR no-build)
set(halfstep_json_fetched_include include)

FetchContent_Declare(
  halfstep_cli11_sources
  GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git
  GIT_TAG cbd58a3696887b34c70949aef21a71735a0c2ad5 # 2.7.2
  SOURCE_SUBDIR no-build)

FetchContent_Declare(
  halfstep_catch2
  GIT_REPOSITORY https://github.com/catchorg/Catch2.git
  GIT_TAG fa43b77429ba76c462b1898d6cd2f2d7a9416b14 # 3.7.1
)

FetchContent_Declare(
  halfstep_benchmark
  GIT_REPOSITORY https://github.com/google/benchmark.git
  GIT_TAG 192ef10025eb2c4cdd392bc502f0c852196baa48 # 1.9.5
)

# halfstep_find, then the pinned release where that is allowed, then an error that says what to install.
function(halfstep_require name)
  halfstep_find(${name})
  if(NOT TARGET halfstep::${name} AND HALFSTEP_FETCH_DEPENDENCIES)
    FetchContent_MakeAvailable(halfstep_${name}_sources)
    halfstep_add_dependency(${name} "${halfstep_${name}_sources_SOURCE_DIR}/${halfstep_${name}_fetched_include}" "")
  endif()
  if(NOT TARGET halfstep::${name})
    halfstep_describe_missing(${name} sentence)
    message(FATAL_ERROR "${sentence}, or set HALFSTEP_FETCH_DEPENDENCIES=ON.")
  endif()
endfunction()
