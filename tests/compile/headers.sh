#!/bin/sh
# Checks that every header below an include directory compiles by itself, and that including it twice is harmless.
#
#   sh headers.sh <jobs> <include directory> <compiler> [compiler arguments...]
#
# HALFSTEP_HEADERS may narrow the check to the headers that match a pattern, such as 'halfstep/simd/*'. A header of one
# instruction set (simd/<name>_<isa>.hpp) is compiled with that set's flags, or named as not checked where the compiler
# has another target. No code is generated, so this costs little more than reading. A warning is a failure.
set -eu

jobs=$1
include=$2
shift 2
target=$("$1" -dumpmachine)

list=$(mktemp)
trap 'rm -f "$list"' EXIT
(cd "$include" && find halfstep -name '*.hpp' -path "${HALFSTEP_HEADERS:-*}" | sort) >"$list"
[ -s "$list" ] || { echo "no header found below $include" >&2; exit 1; }

if [ "${HALFSTEP_HEADERS_TOGETHER:-0}" = 1 ]; then
  grep -v -e '/simd/[a-z]*_' -e '/openmp.hpp$' "$list" | sed 's/.*/#include "&"/' |
    "$@" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I "$include" -x c++ -
  echo "all headers read together by $*"
  exit 0
fi

# One header per process; xargs hands on the header's name as the last argument.
export include target
tr '\n' '\0' <"$list" | xargs -0 -n 1 -P "$jobs" sh -c '
  for header do :; done
  arguments=$#
  while [ "$arguments" -gt 1 ]; do
    set -- "$@" "$1"
    shift
    arguments=$((arguments - 1))
  done
  shift

  case $header in
    *_neon*.hpp) expected="aarch64*" flags= ;;
    *_avx512vnni*.hpp) expected="x86_64*" flags=-march=cascadelake ;;
    *_avx512*.hpp) expected="x86_64*" flags=-march=skylake-avx512 ;;
    *_avx*.hpp) expected="x86_64*" flags=-march=haswell ;;
    *_sse*.hpp) expected="x86_64*" flags= ;;
    *openmp.hpp) expected="*" flags=-fopenmp ;;
    *) expected="*" flags= ;;
  esac
  if [ "$flags" = -fopenmp ] && ! echo "#include <omp.h>" | "$@" -fopenmp -fsyntax-only -x c++ - 2>/dev/null; then
    echo "not checked: $header (this compiler has no omp.h)"
    exit 0
  fi
  case $target in
    $expected) ;;
    *) echo "not checked: $header (this compiler builds for $target)"; exit 0 ;;
  esac
  printf "#include \"%s\"\n#include \"%s\"\n" "$header" "$header" |
    "$@" $flags -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I "$include" -x c++ - ||
    { echo "failed: $header" >&2; exit 1; }
' sh "$@"
echo "$(wc -l <"$list" | tr -d ' ') headers read by $*"
