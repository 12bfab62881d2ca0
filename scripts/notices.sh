#!/usr/bin/env bash
# Prints the licences of everything that is linked into bin/axon, for THIRD_PARTY_NOTICES.md.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# section prints a heading and the texts of the given files.
section() {
  printf '\n## %s\n' "$1"
  shift
  local file
  for file in "$@"; do
    printf '\n```text\n'
    awk '{ sub(/[ \t\r]+$/, ""); print }' "$file"
    printf '```\n'
  done
}

# modules prints "path@version folder" of the Go modules in the binary, whatever the backend.
modules() { packages | cut -d' ' -f1,2 | LC_ALL=C sort -u; }

# packages prints "path@version folder package-folder" of every package of those modules.
packages() {
  go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}} {{.Dir}} {{$.Dir}}{{end}}{{end}}' ./cmd/axon
}

# folders prints a module's folder, and those of its linked packages, which may hold
# somebody else's code with a licence of its own.
folders() {
  echo "$2"
  packages | awk -v module="$1" -v root="$2" '$1 == module && $3 != root { print $3 }' | LC_ALL=C sort -u
}

cat <<'EOT'
# Third-party notices

The axon binary contains the software and the data below. This file is written by
`make notices`. The C++ runtime library of GCC is linked statically under the GCC Runtime
Library Exception, which asks for no notice.
EOT

llama=third_party/llama.cpp
# shellcheck source=../third_party/llama.cpp/pin.sh
. "$llama/pin.sh"

section "llama.cpp and ggml, $LLAMA_VERSION" "$llama/dist/licenses/llama.cpp.txt"
section "llamafile's matrix multiplication, inside ggml" "$llama/dist/licenses/llamafile-sgemm.txt"
section "YaRN's rotary position scaling, inside ggml" third_party/licenses/yarn.txt
section "Go's standard library" third_party/licenses/go.txt
section "GPT-2's vocabulary, from llama.cpp's models" third_party/licenses/gpt-2-vocabulary.txt

modules | while read -r module dir; do
  texts=()
  while read -r folder; do
    # freetype's LICENSE only names the texts beside it, of which the first is chosen.
    texts+=("$folder"/LICENSE* "$folder"/NOTICE* "$folder"/licenses/ft[l].txt)
  done < <(folders "$module" "$dir")
  section "$module" "${texts[@]}"
done
