#!/bin/sh
# Fails where a header of halfstep does not compile after the macros of foreign_macros.hpp, or leaves behind a macro whose
# name does not begin with HALFSTEP_.
#
#   sh macros.sh <include directory> <compiler> [compiler arguments...]
set -eu
include=$1
shift
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
list() {
  (cd "$include" && find halfstep -name '*.hpp' ! -name openmp.hpp ! -path '*/simd/*_*' | sort) |
    sed 's/.*/#include "&"/'
}
list | "$@" -std=c++20 -fsyntax-only -I "$include" -include "$here/foreign_macros.hpp" -x c++ -

# -dD keeps definitions among the lines that say which file they stand in.
list | "$@" -std=c++20 -I "$include" -E -dD -x c++ - |
  awk -v from="$include/halfstep/" '
    $1 == "#" && $2 ~ /^[0-9]+$/ { file = $3; gsub(/"/, "", file) }
    $1 == "#define" && index(file, from) == 1 { name = $2; sub(/\(.*/, "", name); defined[name] = file; count++ }
    $1 == "#undef" { delete defined[$2] }
    END {
      if (!count) { print "no macro of halfstep was seen at all"; exit 1 }
      for (name in defined) if (name !~ /^HALFSTEP_/) { print defined[name] ": leaves " name; failed = 1 }
      exit failed
    }'
echo "every macro that is left begins with HALFSTEP_"
