# Plays one consumer: cmake -DWAY=<way> -DSOURCE=<halfstep> -DWORK=<directory> -DCOMPILER=<c++> ... -P run.cmake
#
#   install    installs halfstep, with nothing of its own built, into WORK/prefix
#   installed  a project finds that installation
#   refused    a project asks it for versions that it is not
#   vendored   a project holds a copy of halfstep's sources and says add_subdirectory, in C++23
#   fetched    a project declares it with FetchContent
#   copied     no CMake: include/ copied beside two translation units and given to the compiler
#   single     the same with the generated single header alone

cmake_minimum_required(VERSION 3.21)

get_filename_component(compiler_name "${COMPILER}" NAME)
set(project "${WORK}/${WAY} ${compiler_name}")
set(prefix "${WORK}/prefix")
set(consumer "${CMAKE_CURRENT_LIST_DIR}/consumer")

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\nended with ${code}:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${project}")
string(REPLACE "|" ";" SYSTEM_INCLUDES "${SYSTEM_INCLUDES}")
set(configure "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}")
if(PREFIX_PATH)
  list(JOIN PREFIX_PATH "\\;" prefix_path)
  list(APPEND configure "-DCMAKE_PREFIX_PATH=${prefix_path}")
endif()

if(WAY STREQUAL "install")
  file(REMOVE_RECURSE "${prefix}")
  run(${configure} -S "${SOURCE}" -B "${project}" -DHALFSTEP_BUILD_TESTS=OFF -DHALFSTEP_BUILD_BENCH=OFF
      -DHALFSTEP_BUILD_EXAMPLES=OFF "-DCMAKE_INSTALL_PREFIX=${prefix}")
  run("${CMAKE_COMMAND}" --build "${project}")
  run("${CMAKE_COMMAND}" --install "${project}")
  # Only what belongs to halfstep, and only below include/ and share/.
  file(GLOB_RECURSE installed RELATIVE "${prefix}" "${prefix}/*")
  list(FILTER installed EXCLUDE REGEX "^(include/halfstep/.*\\.hpp|share/cmake/halfstep/[A-Za-z_]+\\.cmake)$")
  if(installed)
    message(FATAL_ERROR "installed beside the headers and the package files: ${installed}")
  endif()
  return()
endif()

if(WAY STREQUAL "copied" OR WAY STREQUAL "single")
  if(WAY STREQUAL "single")
    file(MAKE_DIRECTORY "${project}/include/halfstep")
    execute_process(COMMAND sh "${SOURCE}/cmake/single_header.sh" COMMAND_ERROR_IS_FATAL ANY
                    OUTPUT_FILE "${project}/include/halfstep/halfstep.hpp")
  else()
    file(COPY "${SOURCE}/include" DESTINATION "${project}")
  endif()
  run("${COMPILER}" -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I "${project}/include"
      ${SYSTEM_INCLUDES} -DCONSUMER_HAS_OTHER_UNIT "${consumer}/main.cpp" "${consumer}/other_unit.cpp" -pthread -o
      "${project}/consumer")
  run("${project}/consumer")
  # And once more for warnings, with the flags of a program that is built for newer processors.
  if(CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    run("${COMPILER}" -std=c++20 -march=skylake-avx512 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion
        -Werror -I "${project}/include" ${SYSTEM_INCLUDES} "${consumer}/main.cpp")
  endif()
  return()
endif()

# The consumer's own sources are copied, so that its path has a space too.
file(COPY "${consumer}/" DESTINATION "${project}/source")
list(APPEND configure -S "${project}/source" -B "${project}/build" "-DWAY=${WAY}" "-DVERSION=${VERSION}"
     "-DCOMPONENTS=${COMPONENTS}" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DSTANDARD=20)
set(include "${prefix}/include")
if(WAY STREQUAL "vendored")
  file(COPY "${SOURCE}/CMakeLists.txt" "${SOURCE}/cmake" "${SOURCE}/include" DESTINATION "${project}/source/halfstep")
  set(include "${project}/source/halfstep/include")
  list(APPEND configure -DHALFSTEP=halfstep -DSTANDARD=23)
elseif(WAY STREQUAL "fetched")
  set(include "${SOURCE}/include")
  list(APPEND configure "-DFETCHCONTENT_SOURCE_DIR_HALFSTEP=${SOURCE}" -DFETCHCONTENT_FULLY_DISCONNECTED=ON)
else()
  list(APPEND configure "-Dhalfstep_DIR=${prefix}/share/cmake/halfstep")
endif()
if(WAY STREQUAL "refused")
  string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" numbers "${VERSION}")
  math(EXPR major "${CMAKE_MATCH_1} + 1")
  math(EXPR minor "${CMAKE_MATCH_2} + 1")
  list(APPEND configure "-DREFUSED=${major}.0\\;${CMAKE_MATCH_1}.${minor}\\;${CMAKE_MATCH_1}.${minor}.0")
endif()

run(${configure})
if(WAY STREQUAL "refused")
  return()
endif()
file(READ "${project}/build/compile_commands.json" commands)
string(REPLACE "\\\"" "" commands "${commands}")
string(FIND "${commands}" "-I${include} " place)
if(place LESS 0)
  message(FATAL_ERROR "halfstep's headers (${include}) should be given with -I, not as system headers:\n${commands}")
endif()
run("${CMAKE_COMMAND}" --build "${project}/build")
run("${project}/build/consumer")
