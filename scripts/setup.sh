#!/bin/sh
# Make the environment from the lock: with uv where there is one, with pip otherwise.
#
# PYTHON names the interpreter (else an environment's own stays, or the first that fits is taken),
# VENV the folder, INSTALLER=pip or uv one of the two, TORCH_VERSION another torch than the locked one
# (none leaves it out). What the installers say goes to a file, SETUP_LOG; the screen says what failed
# and what to do.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-}"
VENV="${VENV:-.venv}"
LOG="${SETUP_LOG:-_build/setup.log}"
case "$VENV" in
    /*) place="$VENV" ;;
    *) place="$(pwd -P)/$VENV" ;;
esac

fail() { # what was found, and the fix
    printf '%s\n  fix: %s\n' "$1" "$2" >&2
    exit 2
}

runs() {
    "$1" -c '' >/dev/null 2>&1
}

has_uv() {
    [ "${INSTALLER:-uv}" = uv ] && command -v uv >/dev/null 2>&1
}

# Sets PYTHON to one that fits, or says why there is none. Nothing has been downloaded yet.
choose_python() {
    if [ -n "$PYTHON" ]; then
        runs "$PYTHON" || fail "PYTHON=$PYTHON was given, and no Python answers to that name." \
            "name one that runs: make book PYTHON=/path/to/python3.11"
        "$PYTHON" scripts/fits.py || exit 2
        return
    fi
    nearest=""
    for name in python3.11 python3.12 python3.13 python3 python; do
        runs "$name" || continue
        nearest="${nearest:-$name}"
        if "$name" scripts/fits.py 2>/dev/null; then
            PYTHON="$name"
            return
        fi
    done
    [ -n "$nearest" ] || fail "No Python was found on the path." \
        "install Python 3.11, 3.12 or 3.13, or name it: make book PYTHON=/path/to/python3.11"
    "$nearest" scripts/fits.py || exit 2
}

version() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
}

# Why the environment that stands there cannot be kept, in words; nothing when it can.
unusable() {
    python="$VENV/bin/python"
    if [ -e "$VENV/.unfinished" ]; then
        echo "an earlier installation was broken off"
    elif ! runs "$python"; then
        echo "its Python does not run"
    elif ! has_uv && ! "$python" -c 'import pip' 2>/dev/null; then
        echo "it has no pip"
    # Commands in it name the place that it was made in.
    elif ! grep -qF "$place/bin/" "$VENV/bin/chapterhouse" 2>/dev/null &&
        ! grep -qF "$(pwd)/$VENV/bin/" "$VENV/bin/chapterhouse" 2>/dev/null; then
        echo "it was moved or copied here, or never finished"
    elif [ -n "$PYTHON" ] && [ "$(version "$PYTHON")" != "$(version "$python")" ]; then
        echo "it has Python $(version "$python"), and PYTHON= asks for $(version "$PYTHON")"
    elif ! "$python" scripts/fits.py 2>/dev/null; then
        echo "it has Python $(version "$python")"
    fi
}

# A home that cannot be written has no room for caches: installers then do without.
without_cache() {
    for cache in "${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/uv}" \
        "${PIP_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/pip}"; do
        if ! { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null; then
            export UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1
        fi
    done
}

# The environment's find-links hold builds that the registry has not, such as torch for the CPU.
# pip reads them by itself; uv has to be told.
install() {
    if has_uv; then
        for found in ${PIP_FIND_LINKS:-}; do set -- --find-links "$found" "$@"; done
        # Without compiled bytecode every import of torch costs a second more.
        set -- uv pip install --no-progress --compile-bytecode --python "$VENV/bin/python" "$@"
    else
        set -- "$VENV/bin/python" -m pip install --disable-pip-version-check --progress-bar off "$@"
    fi
    echo "$*" >>"$LOG"
    "$@" </dev/null >>"$LOG" 2>&1 || scripts/why.sh "$LOG"
}

[ "${INSTALLER:-pip}" = pip ] || has_uv || fail "INSTALLER=$INSTALLER was given; uv was not found." \
    "install uv, or leave INSTALLER out"
[ -w . ] || fail "The folder $(pwd) cannot be written by $(id -un)." \
    "copy it to a folder of yours, or give it to yourself: sudo chown -R $(id -un) ."
if [ ! -x "$VENV/bin/python" ] || [ -n "$PYTHON" ]; then
    choose_python
fi
if [ -e "$VENV" ] || [ -L "$VENV" ]; then
    reason="$(unusable)"
    if [ -n "$reason" ]; then
        choose_python
        echo "$VENV is made anew: $reason"
        rm -rf "$VENV" 2>/dev/null || fail "$VENV cannot be removed by $(id -un)." \
            "sudo rm -rf '$place'"
    fi
fi
mkdir -p "$(dirname "$LOG")" 2>/dev/null && : 2>/dev/null >"$LOG" ||
    fail "The log $LOG cannot be written by $(id -un)." "sudo chown -R $(id -un) '$(pwd)'"
without_cache

if [ ! -d "$VENV" ]; then
    mkdir -p "$VENV"
    # It stays until the last package is in: whoever finds it begins anew.
    touch "$VENV/.unfinished"
    if has_uv && ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        uv venv --quiet --allow-existing --python "$PYTHON" "$VENV" >>"$LOG" 2>&1 || scripts/why.sh "$LOG"
    else
        "$PYTHON" -m venv "$VENV" >>"$LOG" 2>&1 || scripts/why.sh "$LOG"
    fi
fi
touch "$VENV/.unfinished"

torch="${TORCH_VERSION:-$(sed -n 's/^torch==//p' requirements-torch.lock)}"
how="$(if has_uv; then echo uv; else echo "pip (a minute or two; it is done once)"; fi)"
echo "setting up $VENV for Python $(version "$VENV/bin/python") with $how"
# The lock is whole, so nothing that it does not name is asked for.
install --no-deps --require-hashes -r requirements-dev.lock
# torch comes last: what it needs beside its own parts for a GPU is there by now.
[ "$torch" = none ] || install "torch==$torch"
install --no-deps --no-build-isolation -e .
rm -f "$VENV/.unfinished"
