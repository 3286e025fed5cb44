#!/bin/sh
# Fails where object files compiled with different flags share a weak function of ours or of xsimd: the linker keeps one
# of the copies, and the other unit would run code that was compiled for another processor.
#
#   sh symbols.sh <nm> <object>...
#
# Weak data (nm's letters V and u) is shared on purpose where it carries no flag in its name. So is the standard library's
# access to the one such variable.
set -eu
nm=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/all"
count=0
for object do
  count=$((count + 1))
  # Both copies of a constructor have one name here, hence sort -u.
  "$nm" -C --defined-only "$object" | awk '$2 == "W" { $1 = ""; $2 = ""; print }' |
    grep -vF ' std::atomic<halfstep::KernelTable const*>::' | grep -E '(^|[^A-Za-z_])(halfstep|xsimd)::' | sort -u >"$work/symbols" || true
  if [ "${object%unit_*}" != "$object" ] && [ "$(wc -l <"$work/symbols")" -lt 50 ]; then
    echo "$object has hardly a weak function of ours: is it compiled as this test needs it?" >&2
    exit 1
  fi
  cat "$work/symbols" >>"$work/all"
done
sort "$work/all" | uniq -d >"$work/shared"
if [ -s "$work/shared" ]; then
  echo "$(wc -l <"$work/shared") weak functions are shared by units compiled with different flags:" >&2
  head -40 "$work/shared" >&2
  exit 1
fi
echo "$count units with different flags share none of $(wc -l <"$work/all") weak functions of halfstep and xsimd"
