#!/bin/sh
# The browser that looks at the built site. Installs Chromium when it is missing and this machine
# lets us; otherwise says exactly what is missing. `make test` calls it.
set -eu

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

say() {
    printf 'tests/site: %s\n' "$1" >&2
}

if ! command -v apt-get >/dev/null 2>&1; then
    say 'Chromium is missing, and there is no apt-get to install it with.'
    say 'fix: install Chromium, or set CHROMIUM to the path of a Chrome or Chromium.'
    exit 1
fi

as_root=''
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        say 'Chromium is missing, and installing it needs root.'
        say 'fix: sudo apt-get install chromium'
        exit 1
    fi
fi

say 'installing Chromium'
if ! { $as_root apt-get install -qq -y --no-install-recommends chromium >/dev/null 2>&1 ||
    { $as_root apt-get update -qq && $as_root apt-get install -qq -y --no-install-recommends chromium >/dev/null; }; }; then
    say 'Chromium could not be installed with apt-get (see the lines above).'
    say 'fix: apt-get install chromium, or set CHROMIUM to the path of a Chrome or Chromium.'
    exit 1
fi
