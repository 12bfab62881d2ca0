#!/usr/bin/env bash
# Fails when a file is not what its generator, formatter or manager would write now.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "$1; run: $2" >&2
  exit 1
}

# tree_state changes when any file that git does not ignore changes.
tree_state() {
  { git diff && git ls-files --others --exclude-standard -z | xargs -0 cksum /dev/null; } | git hash-object --stdin
}

unformatted=$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || fail "not formatted: ${unformatted//$'\n'/ }" "gofmt -w ${unformatted//$'\n'/ }"

go mod tidy -diff || fail "go.mod or go.sum is not tidy" "go mod tidy"

before=$(tree_state)
go generate ./...
[ "$before" = "$(tree_state)" ] || fail "go generate has changed files (see git status)" "go generate ./..., and commit"

scripts/notices.sh | diff -u THIRD_PARTY_NOTICES.md - >&2 ||
  fail "THIRD_PARTY_NOTICES.md is not up to date" "make notices"

. third_party/llama.cpp/pin.sh
grep -q "^const PinnedVersion = \"${LLAMA_VERSION#v}\"" cgo/llama.go ||
  fail "cgo/llama.go is written against another llama.cpp than $LLAMA_VERSION" "what third_party/llama.cpp/README.md says"
