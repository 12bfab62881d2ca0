#!/usr/bin/env bash
# Checks what other machines get: the kernels without assembly are tested, those of other
# processors compiled and vetted, and tested where this machine can run or emulate them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Packages without C.
packages=(./kernels/... ./synapse ./synapse/wire ./synapse/auth ./synapse/metagraph ./synapse/client ./synapse/server ./synapse/translate ./internal/npy ./internal/settings ./internal/wholefile ./synapse/validator/...)

echo "without assembly"
CGO_ENABLED=0 go vet -tags purego "${packages[@]}"
CGO_ENABLED=0 go test -tags purego "${packages[@]}"

for arch in arm64 386 arm ppc64le s390x; do # 64 and 32 bits, little and big endian
  echo "for $arch"
  CGO_ENABLED=0 GOARCH=$arch go vet "${packages[@]}"
done

if command -v qemu-aarch64 >/dev/null; then
  echo "arm64, emulated"
  CGO_ENABLED=0 GOARCH=arm64 go test -short -exec qemu-aarch64 "${packages[@]}"
fi

# The generator of the assembly is a module of its own: ./... does not reach it.
go -C kernels/_generate vet ./...
go -C kernels/_generate test ./...
