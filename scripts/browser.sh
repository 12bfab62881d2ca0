#!/usr/bin/env bash
# Prints the path of a Chromium. Where there is none, apt-get installs one if the user may do
# so; otherwise the command to type is printed.
set -euo pipefail

# find_browser prints the path of the first one in PATH.
find_browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" && return
  done
  return 1
}

# as_admin runs a command with the rights to install, or fails without asking for a password.
as_admin() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# install_browser installs Debian's package, after refreshing apt's lists if they are too old.
install_browser() {
  local command=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium)
  command -v apt-get >/dev/null && as_admin true 2>/dev/null || return
  echo "installing: chromium" >&2
  as_admin "${command[@]}" </dev/null >/dev/null 2>&1 && return
  as_admin apt-get update -qq </dev/null >&2 && as_admin "${command[@]}" </dev/null >&2
}

find_browser && exit
if install_browser && find_browser; then exit; fi
echo "chromium is missing; run: sudo apt-get install chromium (Debian), or your package manager's command" >&2
exit 1
