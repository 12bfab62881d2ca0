#!/usr/bin/env bash
# Runs golangci-lint in the version given, built from the Go module proxy once per machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$1
cache=${AXON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/axon}
# A linter can only read code for the Go it was built with, or older: that is part of the name.
dir=$cache/golangci-lint/$version-$(go env GOVERSION)

if [ ! -x "$dir/golangci-lint" ]; then
  echo "building golangci-lint $version (some minutes, once)" >&2
  env -u CGO_CFLAGS -u CGO_CXXFLAGS -u CGO_LDFLAGS -u GOFLAGS CGO_ENABLED=0 GOBIN="$dir" \
    go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$version"
fi

"$dir/golangci-lint" run --allow-parallel-runners ./...
if command -v shellcheck >/dev/null; then
  shellcheck -x -P SCRIPTDIR .ci/run scripts/*.sh third_party/llama.cpp/*.sh
fi
