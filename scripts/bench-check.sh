#!/usr/bin/env bash
# Compares two runs that make bench-save has saved.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$1 old=$2 new=$3
if [ -z "$old" ] || [ -z "$new" ]; then
  cat >&2 <<'EOT'
give two saved runs to compare:
  make bench-save OUT=old.txt     before the change
  make bench-save OUT=new.txt     after it, on the same machine
  make bench-check OLD=old.txt NEW=new.txt
EOT
  exit 2
fi
for file in "$old" "$new"; do
  grep -q '^Benchmark' "$file" || {
    echo "$file holds no benchmarks; make bench-save OUT=$file makes it" >&2
    exit 1
  }
done
env -u GOFLAGS go run "golang.org/x/perf/cmd/benchstat@$version" "$old" "$new"
