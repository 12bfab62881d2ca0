#!/usr/bin/env bash
# Tries every fuzz target of the module FUZZTIME times ("2000x"; a duration such as "1m" too).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# fuzz_targets prints "package target" for every target, one a line.
fuzz_targets() {
  grep -rlE --include='*_test.go' '^func Fuzz[A-Z]' . | while read -r file; do
    sed -nE "s,^func (Fuzz[A-Za-z0-9_]*)\(.*,$(dirname "$file") \1,p" "$file"
  done | LC_ALL=C sort
}

fuzz_targets | while read -r package target; do
  echo "fuzzing $package $target"
  go test -run '^$' -fuzz "^$target\$" -fuzzminimizetime 10x -fuzztime "${FUZZTIME:-2000x}" "$package" </dev/null
done
