#!/bin/sh
# Installs what is missing, builds the benchmarks for this machine's CPU and runs all of them, one after the other.
#
#   sh cmake/bench.sh [arguments of Google Benchmark...]
#
# OpenBLAS and oneDNN 2 are timed beside the library where they are installed (Debian: libopenblas-dev, libdnnl-dev).
set -eu

halfstep=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$halfstep/cmake/dependencies.sh"

require cmake generator eigen xsimd benchmark

configure "$halfstep/build" -DHALFSTEP_NATIVE=ON -DHALFSTEP_BUILD_BENCH=ON -DHALFSTEP_BUILD_TESTS=OFF \
  -DHALFSTEP_BUILD_EXAMPLES=OFF
cmake --build "$halfstep/build" --parallel "$(job_count)"
# With these set OpenBLAS would not choose its kernels by itself.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
for program in "$halfstep"/build/bench/bench_*; do
  [ -x "$program" ] || continue
  # The peers' thread pools would otherwise take both cores for rows of one thread.
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$program" --benchmark_counters_tabular=true "$@"
done
