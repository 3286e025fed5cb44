# What halfstep's headers include, each behind a target of its own: halfstep::eigen, halfstep::xsimd and, for floor io
# and above, halfstep::json. Used by this project and, installed beside it, by halfstepConfig.cmake.
#
# The targets carry include directories (as system ones) and definitions only. Linking the packages' own targets would
# bring more than headers: Debian's xsimd asks for -lxtl. Versions are read from the headers, because a versioned
# find_package call for Eigen 3.4 refuses Eigen 5, and a range refuses Debian's package.

set(halfstep_eigen_package Eigen3)
set(halfstep_eigen_targets Eigen3::Eigen)
set(halfstep_eigen_header Eigen/Core)
set(halfstep_eigen_version_files Eigen/Version Eigen/src/Core/util/Macros.h)
set(halfstep_eigen_version_macros EIGEN_WORLD_VERSION EIGEN_MAJOR_VERSION EIGEN_MINOR_VERSION)
set(halfstep_eigen_minimum 3.4.0)  # Eigen 5.0.0 calls itself 3.5.0.0 in these macros
set(halfstep_eigen_debian libeigen3-dev)

set(halfstep_xsimd_package xsimd)
set(halfstep_xsimd_targets xsimd xsimd::xsimd)
set(halfstep_xsimd_header xsimd/xsimd.hpp)
set(halfstep_xsimd_version_files xsimd/config/xsimd_config.hpp)
set(halfstep_xsimd_version_macros XSIMD_VERSION_MAJOR XSIMD_VERSION_MINOR XSIMD_VERSION_PATCH)
set(halfstep_xsimd_minimum 8.1.0)
set(halfstep_xsimd_debian libxsimd-dev)

set(halfstep_json_package nlohmann_json)
set(halfstep_json_targets nlohmann_json::nlohmann_json)
set(halfstep_json_header nlohmann/json.hpp)
set(halfstep_json_version_files nlohmann/detail/abi_macros.hpp nlohmann/detail/macro_scope.hpp nlohmann/json.hpp)
set(halfstep_json_version_macros NLOHMANN_JSON_VERSION_MAJOR NLOHMANN_JSON_VERSION_MINOR NLOHMANN_JSON_VERSION_PATCH)
set(halfstep_json_minimum 3.9.0)
set(halfstep_json_debian nlohmann-json3-dev)

# The version that the macros in these include directories state, or an empty string.
function(halfstep_read_version name directories result)
  set(version "")
  foreach(directory IN LISTS directories)
    foreach(file IN LISTS halfstep_${name}_version_files)
      if(version STREQUAL "" AND EXISTS "${directory}/${file}")
        set(numbers "")
        foreach(macro IN LISTS halfstep_${name}_version_macros)
          file(STRINGS "${directory}/${file}" line LIMIT_COUNT 1 REGEX "^[ \t]*#[ \t]*define[ \t]+${macro}[ \t]+[0-9]+")
          if(line MATCHES "[ \t]([0-9]+)")
            list(APPEND numbers ${CMAKE_MATCH_1})
          endif()
        endforeach()
        list(JOIN numbers "." version)
      endif()
    endforeach()
  endforeach()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# Makes halfstep::<name> from include directories and definitions, or sets halfstep_<name>_problem.
function(halfstep_add_dependency name directories definitions)
  string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" directories "${directories}")
  list(FILTER directories EXCLUDE REGEX "\\$<INSTALL_INTERFACE:")
  halfstep_read_version(${name} "${directories}" version)
  if(NOT version STREQUAL "" AND version VERSION_LESS halfstep_${name}_minimum)
    set(halfstep_${name}_problem "found ${name} ${version} in ${directories}, too old" PARENT_SCOPE)
    return()
  endif()
  add_library(halfstep::${name} INTERFACE IMPORTED GLOBAL)
  set_target_properties(
    halfstep::${name}
    PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}"
               INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${directories}"
               INTERFACE_COMPILE_DEFINITIONS "${definitions}")
  set(halfstep_${name}_version "${version}" PARENT_SCOPE)
  set(halfstep_${name}_problem "" PARENT_SCOPE)
endfunction()

# Finds <name>: a target that the surrounding project already has, an installed package, a header. Makes
# halfstep::<name>, or says in halfstep_<name>_problem why there is none.
function(halfstep_find name)
  if(TARGET halfstep::${name})
    return()
  endif()
  set(package ${halfstep_${name}_package})
  set(known FALSE)
  foreach(target IN LISTS halfstep_${name}_targets)
    if(TARGET ${target})
      set(known TRUE)
    endif()
  endforeach()
  if(NOT known)
    find_package(${package} QUIET CONFIG)
  endif()

  set(directories "")
  set(definitions "")
  foreach(target IN LISTS halfstep_${name}_targets)
    if(TARGET ${target} AND NOT directories)
      get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
      get_target_property(definitions ${target} INTERFACE_COMPILE_DEFINITIONS)
    endif()
  endforeach()
  if(NOT definitions)
    set(definitions "")
  endif()
  if(NOT directories)
    find_path(halfstep_${name}_include ${halfstep_${name}_header} PATH_SUFFIXES eigen3)
    mark_as_advanced(halfstep_${name}_include)
    if(halfstep_${name}_include)
      set(directories "${halfstep_${name}_include}")
    endif()
  endif()

  if(directories)
    halfstep_add_dependency(${name} "${directories}" "${definitions}")
  else()
    set(halfstep_${name}_problem "${halfstep_${name}_header} was not found")
  endif()
  set(halfstep_${name}_version "${halfstep_${name}_version}" PARENT_SCOPE)
  set(halfstep_${name}_problem "${halfstep_${name}_problem}" PARENT_SCOPE)
endfunction()

# What to do about a missing <name>, as one sentence.
function(halfstep_describe_missing name result)
  set(${result}
      "halfstep needs ${halfstep_${name}_package} >= ${halfstep_${name}_minimum}: ${halfstep_${name}_problem}. \
Install it (Debian and Ubuntu: ${halfstep_${name}_debian}) or point CMAKE_PREFIX_PATH to it"
      PARENT_SCOPE)
endfunction()

# The targets beside halfstep::halfstep, made where what they need is there: halfstep::io for the floors that read and
# write files, halfstep::openmp for the executor that runs on OpenMP.
function(halfstep_add_components)
  if(TARGET halfstep::json AND NOT TARGET halfstep::io)
    add_library(halfstep::io INTERFACE IMPORTED GLOBAL)
    target_link_libraries(halfstep::io INTERFACE halfstep::halfstep halfstep::json)
  endif()
  if(NOT TARGET OpenMP::OpenMP_CXX)
    find_package(OpenMP QUIET COMPONENTS CXX)
  endif()
  if(TARGET OpenMP::OpenMP_CXX AND NOT TARGET halfstep::openmp)
    add_library(halfstep::openmp INTERFACE IMPORTED GLOBAL)
    target_link_libraries(halfstep::openmp INTERFACE halfstep::halfstep OpenMP::OpenMP_CXX)
  endif()
endfunction()
