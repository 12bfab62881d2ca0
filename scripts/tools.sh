#!/usr/bin/env bash
# Checks that what a build needs is here. cmake and ninja are installed by the system's
# package manager where the user may do so; for anything else the command to type is printed.
set -euo pipefail

wanted_go=1.26

# manager prints the name of the system's package manager, or nothing.
manager() {
  local m
  for m in apt-get dnf pacman brew; do
    if command -v "$m" >/dev/null; then
      echo "$m"
      return
    fi
  done
}

# package prints what the package manager calls a tool.
package() {
  case $1:$pm in
    ninja:apt-get | ninja:dnf) echo ninja-build ;;
    c++:apt-get) echo g++ ;;
    c++:dnf) echo gcc-c++ ;;
    c++:*) echo gcc ;;
    npm:brew) echo node ;;
    libstdc++.a:dnf) echo libstdc++-static ;;
    libstdc++.a:*) package c++ ;;
    *) echo "$1" ;;
  esac
}

# install_command prints the command that installs the given tools, without sudo.
install_command() {
  local packages=() tool
  for tool in "$@"; do packages+=("$(package "$tool")"); done
  case $pm in
    apt-get) echo "apt-get install -y --no-install-recommends ${packages[*]}" ;;
    dnf) echo "dnf install -y ${packages[*]}" ;;
    pacman) echo "pacman -S --noconfirm --needed ${packages[*]}" ;;
    brew) echo "brew install ${packages[*]}" ;;
    *) echo "your package manager's command for: ${packages[*]}" ;;
  esac
}

# advise says what is missing and what to type.
advise() {
  local sudo="sudo "
  if [ "$pm" = brew ] || [ "$(id -u)" = 0 ]; then sudo=; fi
  if [ "$(uname -s)" = Darwin ] && [ "$1" = c++ ]; then
    echo "a C++ compiler is missing; run: xcode-select --install" >&2
  else
    echo "$1 is missing; run: $sudo$(install_command "$@")" >&2
  fi
}

# as_admin runs a command with the rights to install, or fails without asking for a password.
as_admin() {
  if [ "$pm" = brew ] || [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

may_install() { [ -n "$pm" ] && as_admin true 2>/dev/null; }

# install_tools installs the given tools, after refreshing apt's lists if they are too old.
install_tools() {
  local command
  read -ra command <<<"$(install_command "$@")"
  echo "installing: ${command[*]}" >&2
  if [ "$pm" = apt-get ]; then
    command=(env DEBIAN_FRONTEND=noninteractive "${command[@]}")
    as_admin "${command[@]}" </dev/null >/dev/null 2>&1 && return
    as_admin apt-get update -qq </dev/null >&2 || return
  fi
  as_admin "${command[@]}" </dev/null >&2
}

# go_is_new_enough compares the Go that this module would use, a fetched toolchain included.
go_is_new_enough() {
  local version
  version=$(go env GOVERSION 2>/dev/null) || return
  [ "$(printf 'go%s\n%s\n' "$wanted_go" "$version" | sort -V | head -n 1)" = "go$wanted_go" ]
}

check_go() {
  if ! command -v go >/dev/null; then
    echo "go is missing; install Go $wanted_go or newer as https://go.dev/doc/install says" >&2
  elif ! go_is_new_enough; then
    echo "$(go version | cut -d' ' -f3) is too old; run: go env -w GOTOOLCHAIN=auto" \
      "(from Go 1.21 on), or install Go $wanted_go as https://go.dev/doc/install says" >&2
  else
    return 0
  fi
  return 1
}

# has_static_runtime says whether the C++ library can be linked into the binary.
has_static_runtime() {
  [ "$(uname -s)" != Linux ] || [ -f "$("${CXX:-c++}" -print-file-name=libstdc++.a)" ]
}

check_backend() {
  case ${BACKEND:-cpu} in
    cuda) command -v nvcc >/dev/null || [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] || {
      echo "nvcc is missing; install NVIDIA's CUDA toolkit and put nvcc into PATH, or set CUDA_HOME" >&2
      return 1
    } ;;
    vulkan) command -v glslc >/dev/null || {
      echo "glslc is missing; install the Vulkan SDK (Debian, Ubuntu: libvulkan-dev glslc)" >&2
      return 1
    } ;;
  esac
}

main() {
  local ok=1 tool
  pm=$(manager)
  check_go || ok=0
  for tool in git npm; do command -v "$tool" >/dev/null || { advise "$tool" && ok=0; }; done
  if ! command -v "${CXX:-c++}" >/dev/null; then
    advise c++
    ok=0
  elif ! has_static_runtime; then
    advise libstdc++.a
    ok=0
  fi
  check_backend || ok=0
  [ $ok = 1 ] || exit 1
  command -v cmake >/dev/null && return
  # ninja is a convenience: cmake uses make without it.
  if may_install && install_tools cmake ninja; then return; fi
  advise cmake ninja
  exit 1
}

main; exit
