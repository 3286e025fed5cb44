#!/bin/sh
# Builds checksum.cpp with many compilers and flags, runs what this machine can run, and fails where the printed lines
# differ. The name of a build is its flags.
#
#   sh checksum.sh <jobs> <include directory> <work directory> <compiler> [compiler arguments...]
#
# The other one of g++ and clang++ takes part where it is here.
set -eu
jobs=$1
include=$2
work=$3
compiler=$4
shift 4
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rm -rf "$work"
mkdir -p "$work"

case $("$compiler" --version | head -1) in
  *clang*) other=g++ ;;
  *) other=clang++ ;;
esac
command -v "$other" >/dev/null || other=

# Each pair of optimization, contraction, signedness of char, instruction set and compiler is in some build.
list_builds() {
  echo "$compiler -O0"
  echo "$compiler -O3 -funsigned-char"
  case $("$compiler" -dumpmachine) in
    x86_64*)
      echo "$compiler -O3 -march=x86-64-v3 -ffp-contract=fast -funsigned-char"
      echo "$compiler -O0 -march=x86-64-v4 -mavx512vnni"
      echo "$compiler -O3 -march=native -ffp-contract=off"
      echo "$compiler -O2 -march=nehalem -funsigned-char"
      ;;
  esac
  [ -n "$other" ] || return 0
  echo "$other -O0 -funsigned-char"
  case $("$other" -dumpmachine) in
    x86_64*)
      echo "$other -O3 -march=x86-64-v3 -ffp-contract=fast"
      echo "$other -O0 -march=x86-64-v4"
      echo "$other -O3 -march=native -ffp-contract=fast -fsigned-char"
      ;;
  esac
}

list_builds >"$work/builds"
export include work here
# One build per process; xargs hands on its line as the last argument.
# shellcheck disable=SC2016
xargs -d '\n' -n 1 -P "$jobs" sh -c '
  for build do :; done
  arguments=$#
  while [ "$arguments" -gt 1 ]; do
    set -- "$@" "$1"
    shift
    arguments=$((arguments - 1))
  done
  shift
  program="$work/$(printf %s "$build" | tr -c "a-z0-9.\n-" "_")"
  if ! $build -std=c++20 -w -I "$include" "$@" "$here/checksum.cpp" -pthread -o "$program" 2>"$program.log"; then
    cat "$program.log" >&2
    line="does not compile"
  else
    status=0
    line=$("$program" 2>&1) || status=$?
    case $status in
      0) ;;
      132) line="not run: this machine lacks what it was compiled for" ;;
      *) line="$line (status $status)" ;;
    esac
  fi
  printf "%s: %s\n" "$build" "$line" | tee "$program.line"
' sh "$@" <"$work/builds"

cat "$work"/*.line | grep -v ': not run: ' >"$work/lines"
[ "$(cat "$work"/*.line | wc -l)" -eq "$(wc -l <"$work/builds")" ] || { echo "some builds said nothing" >&2; exit 1; }
if [ "$(sed 's/^.*: //' "$work/lines" | sort -u | wc -l)" -ne 1 ] || ! grep -q ': halfstep checksum [0-9a-f]*$' "$work/lines"; then
  echo "the builds differ" >&2
  exit 1
fi
echo "$(wc -l <"$work/lines" | tr -d ' ') builds agree"
