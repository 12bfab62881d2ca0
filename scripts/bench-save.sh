#!/usr/bin/env bash
# Runs the benchmarks of kernels and kernels/pack six times each and saves what they print.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$1 bench=$2 time=$3
if [ -z "$out" ]; then
  echo "say where to save the run: make bench-save OUT=old.txt" >&2
  exit 2
fi
# A run that is cut short must not look like a whole one.
trap 'rm -f "$out.part"' EXIT
go test -run '^$' -bench "$bench" -benchtime "$time" -count 6 -cpu 1 -timeout 60m ./kernels ./kernels/pack | tee "$out.part"
mv "$out.part" "$out"
