#!/bin/sh
# Installs what is missing, builds the tests and the examples for this machine's CPU and runs them.
#
#   sh cmake/test.sh [--slow] [arguments of ctest...]
#
# --slow adds the tests with the label slow. Anything else goes to ctest: -R '<name>', -L golden, -V, ...
set -eu

halfstep=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$halfstep/cmake/dependencies.sh"

slow=no
for argument do
  shift
  case $argument in
    --slow) slow=yes ;;
    *) set -- "$@" "$argument" ;;
  esac
done
[ "$slow" = yes ] || set -- -LE slow "$@"

require cmake generator eigen xsimd json cli11 catch2

jobs=$(job_count)
configure "$halfstep/build" -DHALFSTEP_NATIVE=ON -DHALFSTEP_BUILD_TESTS=ON -DHALFSTEP_BUILD_EXAMPLES=ON \
  -DHALFSTEP_BUILD_BENCH=OFF -DHALFSTEP_TEST_BATCH=8
cmake --build "$halfstep/build" --parallel "$jobs"
ctest --test-dir "$halfstep/build" --output-on-failure --no-tests=error --parallel "$jobs" "$@"
