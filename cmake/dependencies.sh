# Shell helpers of quickstart.sh, test.sh and .ci/run: what is missing on this machine, how to get it, how many jobs fit
# into its memory. To be sourced, under `set -eu`, with $halfstep set to the root of the sources.

export DEBIAN_FRONTEND=noninteractive

# Where there is a ccache, let it recognize the same sources in another checkout.
export CCACHE_BASEDIR="$halfstep" CCACHE_NOHASHDIR=1

say() {
  printf '%s\n' "$*"
}

fail() {
  printf 'halfstep: %s\n' "$*" >&2
  exit 1
}

has_command() {
  command -v "$1" >/dev/null 2>&1
}

# The C++ compiler that CMake will take.
compiler() {
  if [ -n "${CXX:-}" ]; then
    printf '%s\n' "$CXX"
  elif has_command c++; then
    printf 'c++\n'
  else
    printf 'g++\n'
  fi
}

# Whether the compiler sees a header: in its own directories, where Debian keeps Eigen, or below CMAKE_PREFIX_PATH.
has_header() (
  wanted=$1
  has_command "$(compiler)" || return 1
  set --
  IFS=:
  for prefix in /usr /usr/local ${CMAKE_PREFIX_PATH:-}; do
    [ "$prefix" = /usr ] || set -- "$@" -I "$prefix/include"
    set -- "$@" -I "$prefix/include/eigen3"
  done
  unset IFS
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$wanted" |
    "$(compiler)" -std=c++17 "$@" -x c++ -E - >/dev/null 2>&1
)

# missing_packages <tool or library>... prints the Debian packages of those that are not here, one a line.
missing_packages() {
  for need do
    case $need in
      compiler) has_command "$(compiler)" || say g++ ;;
      cmake) has_command cmake || say cmake ;;
      generator) has_command ninja || has_command make || say ninja-build ;;
      eigen) has_header Eigen/Core || say libeigen3-dev ;;
      xsimd) has_header xsimd/xsimd.hpp || say libxsimd-dev ;;
      json) has_header nlohmann/json.hpp || say nlohmann-json3-dev ;;
      cli11) has_header CLI/CLI.hpp || say libcli11-dev ;;
      catch2) has_header catch2/catch.hpp || has_header catch2/catch_all.hpp || say catch2 ;;
      benchmark) has_header benchmark/benchmark.h || say libbenchmark-dev ;;
      openblas) has_header cblas.h || say libopenblas-dev ;;
      onednn) has_header dnnl.hpp || say libdnnl-dev ;;
      clang) has_command clang++ || say clang ;;
      clang-format) has_command clang-format || say clang-format ;;
      clang-tidy) has_command clang-tidy || say clang-tidy ;;
      qemu) has_command qemu-aarch64 || say qemu-user ;;
      aarch64) has_command aarch64-linux-gnu-g++ || say g++-aarch64-linux-gnu ;;
      *) fail "nothing is known of a dependency named $need" ;;
    esac
  done
}

# Runs a command as root, or fails where that cannot be.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif ! has_command sudo; then
    return 1
  elif [ -t 0 ]; then
    sudo DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo -n DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

# require <tool or library>... installs what is missing through apt where that is possible, and otherwise says what to
# install and ends.
require() {
  # Without a compiler no header can be looked for, so it comes first.
  needs="compiler $*"
  install_missing compiler
  install_missing "$@"
  check_compiler
}

install_missing() {
  packages=$(missing_packages "$@")
  [ -n "$packages" ] || return 0
  # Names are split into words on purpose, here and below.
  # shellcheck disable=SC2046,SC2086
  all=$(echo $(missing_packages $needs))
  has_command apt-get ||
    fail "please install what these Debian packages hold, then run this again: $all" \
      "(for headers outside the compiler's search path, name their prefix in CMAKE_PREFIX_PATH)"
  as_root true 2>/dev/null || fail "missing, and neither root nor sudo to install it. As root, run: apt-get install $all"
  say "Installing with apt-get:" $packages
  as_root apt-get update -q || say "apt-get update failed; going on with the package lists that are here"
  # shellcheck disable=SC2086
  as_root apt-get install -y -q --no-install-recommends $packages </dev/null ||
    fail "could not install all of: $all. As root, run: apt-get install $all"
  packages=$(missing_packages "$@")
  [ -z "$packages" ] || fail "still missing after the installation:" $packages
}

check_compiler() {
  printf '#if defined(__clang__) ? __clang_major__ < 14 : __GNUC__ < 12\n#error\n#endif\n' |
    "$(compiler)" -x c++ -E - >/dev/null 2>&1 ||
    fail "$(compiler) is too old: g++ 12 or clang 14 is the oldest that will do; name another one in CXX"
}

# How many compilers may run at a time: one per core, and 2 GiB of memory for each. HALFSTEP_JOBS overrides.
job_count() {
  if [ -n "${HALFSTEP_JOBS:-}" ]; then
    say "$HALFSTEP_JOBS"
    return
  fi
  cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null || true)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  case $limit in
    '' | max | *[!0-9]*) ;;
    *)
      limit=$((limit / 1048576))
      if [ -z "$memory" ] || [ "$limit" -lt "$memory" ]; then memory=$limit; fi
      ;;
  esac
  fitting=$((${memory:-2048} / 2048))
  [ "$fitting" -lt "$cores" ] || fitting=$cores
  [ "$fitting" -ge 1 ] || fitting=1
  say "$fitting"
}

# configure <build directory> <cmake arguments>... A directory that is configured already keeps its generator.
configure() {
  build=$1
  shift
  if [ ! -f "$build/CMakeCache.txt" ] && [ -z "${CMAKE_GENERATOR:-}" ]; then
    if has_command ninja; then
      set -- -G Ninja "$@"
    else
      set -- -G "Unix Makefiles" "$@"
    fi
  fi
  launcher=
  if has_command ccache; then launcher=ccache; fi
  cmake -S "$halfstep" -B "$build" "-DCMAKE_CXX_COMPILER_LAUNCHER=$launcher" "$@"
}
