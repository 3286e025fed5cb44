#!/bin/sh
# From a fresh checkout to a report: installs what is missing, builds the example program quantize_vit, quantizes the
# vision transformer in examples/data with it, and writes build/quickstart/report.html and report.json.
#
#   sh cmake/quickstart.sh [arguments of quantize_vit...]
set -eu

halfstep=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$halfstep/cmake/dependencies.sh"

require cmake generator eigen xsimd json cli11

configure "$halfstep/build" -DHALFSTEP_NATIVE=ON -DHALFSTEP_BUILD_EXAMPLES=ON -DHALFSTEP_BUILD_TESTS=OFF \
  -DHALFSTEP_BUILD_BENCH=OFF
cmake --build "$halfstep/build" --target quantize_vit --parallel "$(job_count)"

output="$halfstep/build/quickstart"
mkdir -p "$output"
"$halfstep/build/examples/quantize_vit" \
  --model "$halfstep/examples/data/glyph_vit.safetensors" \
  --eval "$halfstep/examples/data/glyph_eval.safetensors" \
  --methods min-max,repq,adalog,composed,composed@avg3 --bits w8a8,w4a4,w3a3 \
  --report "$output/report.html" --json "$output/report.json" "$@"
say "Report: $output/report.html"
