#!/usr/bin/env bash
# Make the environment as readers do, with every Python at hand: `make try-install`.
#
# Each Python installs with pip and with uv, in a folder with a space and letters beyond ASCII in its
# path, as an ordinary user where we are root. The first one also with a home that cannot be written,
# after an installation that was broken off, in a tree that was moved, with a Python that is refused
# and with a registry that does not answer. --quick tries the first Python only, and no torch.
# PYTHONS="/path/a /path/b" names the interpreters, INSTALLERS="uv" one of the two installers. torch is installed where a folder of
# PIP_FIND_LINKS has it for that Python, with FULL=1 everywhere (gigabytes).
set -uo pipefail
cd "$(dirname "$0")/.."

quick="${1:-}"
work="$(mktemp -d)"
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/home" "$work/cache"
mkdir -m 555 "$work/locked home"
chmod 755 "$work"
rows=()
failed=0

user=""
if [ "$(id -u)" -eq 0 ]; then
    user="$(id -un 65534 2>/dev/null || true)"
    chown -R 65534 "$work/home" "$work/cache"
fi

# Run as an ordinary user where we are root and that user can reach the interpreter.
as_reader() { # interpreter, then the command
    local python="$1"
    shift
    if [ -n "$user" ] && reachable "$python"; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        "$@"
    fi
}

reachable() {
    setpriv --reuid 65534 --regid 65534 --clear-groups "$1" -c '' 2>/dev/null
}

interpreters() { # one path a version, of those that the setup takes
    local seen=" " name path version
    for name in ${PYTHONS:-python3.11 python3.12 python3.13 /usr/bin/python3 /usr/bin/python3.1[123] \
        /usr/local/bin/python3.1[123] "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[123]*/bin/python}; do
        # The interpreter itself, not a shim: another user has no shims.
        path="$("$name" -c 'import sys; print(sys.executable)' 2>/dev/null)" || continue
        "$path" scripts/fits.py 2>/dev/null || continue
        version="$("$path" -c 'import platform; print(platform.python_version())')"
        case "$seen" in *" $version "*) continue ;; esac
        seen="$seen$version "
        echo "$path"
    done
}

tree() { # a fresh copy of what git knows, owned by whoever installs
    local to="$1"
    mkdir -p "$to"
    git ls-files -coz --exclude-standard | xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\0" "$f"; done' - |
        xargs -0 cp --parents -t "$to"
    if [ -n "$user" ]; then chown -R 65534 "$work/$(basename "$(dirname "$to")")"; fi
}

torch_for() { # the version to install with this Python, or none
    local tag folder
    [ -z "$quick" ] || { echo none; return; }
    [ -z "${FULL:-}" ] || { echo ""; return; }
    tag="$("$1" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')"
    for folder in ${PIP_FIND_LINKS:-}; do
        if compgen -G "$folder/torch-$(sed -n 's/^torch==//p' requirements-torch.lock)*-$tag-*" >/dev/null; then
            echo ""
            return
        fi
    done
    echo none
}

row() { # python, installer, case, status, seconds
    rows+=("$1|$2|$3|$4|$5 s")
    printf '%-8s %-4s %-34s %-7s %4s s\n' "$@"
    [ "$4" = ok ] || failed=1
}

setup() { # interpreter, installer, folder, then NAME=value for the environment
    local python="$1" installer="$2" folder="$3"
    shift 3
    as_reader "$python" env -u PIP_NO_CACHE_DIR HOME="$work/home" XDG_CACHE_HOME="$work/cache" \
        PYTHON="$python" INSTALLER="$installer" TORCH_VERSION="$(torch_for "$python")" "$@" \
        "$folder/scripts/setup.sh" >>"$work/said" 2>&1
}

works() { # interpreter, folder: its commands run and its packages load
    (cd "$2" && as_reader "$1" env HOME="$work/home" MPLCONFIGDIR="$work/cache" .venv/bin/chapterhouse --help &&
        as_reader "$1" env HOME="$work/home" MPLCONFIGDIR="$work/cache" .venv/bin/python -c '
import importlib.util, jupyter_book, matplotlib, numpy, quickjs, sklearn, scipy, chapterhouse
if importlib.util.find_spec("torch"): import sprat, torch; torch.ones(2) @ torch.ones(2)') >>"$work/said" 2>&1
}

attempt() { # python, installer, case, command: one row of the table
    local began="$SECONDS" status=ok
    : >"$work/said"
    "${@:4}" || status=failed
    row "$(version "$1")" "$2" "$3" "$status" "$((SECONDS - began))"
    if [ "$status" != ok ]; then tail -n 15 "$work/said" | sed 's/^/    /' >&2; fi
    # A tree is gone before the next one comes: an environment takes gigabytes.
    chmod -R u+w "$work/trees" 2>/dev/null
    rm -rf "$work/trees"
}

version() {
    "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo "?"
}

odd="$work/trees/Bücher für später, n° 1"

in_an_odd_path() { tree "$odd" && setup "$1" "$2" "$odd" && works "$1" "$odd"; }

with_a_locked_home() {
    tree "$odd" && setup "$1" "$2" "$odd" -u XDG_CACHE_HOME HOME="$work/locked home" && works "$1" "$odd"
}

after_it_was_broken_off() {
    tree "$odd"
    setup "$1" "$2" "$odd" &
    local job=$! tries=0
    # As soon as packages arrive, the whole of it is killed.
    until [ -e "$odd/.venv/.unfinished" ] && compgen -G "$odd/.venv/lib/*/site-packages/[n-z]*" >/dev/null; do
        sleep 0.2
        tries=$((tries + 1))
        [ "$tries" -lt 1500 ] && kill -0 "$job" 2>/dev/null || return 1
    done
    descendants "$job" | xargs kill -9
    wait "$job" 2>/dev/null
    [ -e "$odd/.venv/.unfinished" ] || return 1
    setup "$1" "$2" "$odd" && works "$1" "$odd"
}

descendants() {
    local child
    echo "$1"
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null || pgrep -P "$1"); do descendants "$child"; done
}

after_it_was_moved() {
    tree "$odd" && setup "$1" "$2" "$odd" && mv "$odd" "$work/trees/elsewhere é" &&
        setup "$1" "$2" "$work/trees/elsewhere é" && works "$1" "$work/trees/elsewhere é"
}

refused_in_words() { # a Python that is too old: nothing is made
    tree "$odd"
    printf '#!/bin/sh\necho "Python 3.10 was found."; exit 2\n' >"$work/old"
    local old
    old="$(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.10*/bin/python" | head -n 1)"
    setup "${old:-/nonexistent/python3.10}" "$2" "$odd"
    [ $? -eq 2 ] && grep -q 'fix: ' "$work/said" && [ ! -e "$odd/.venv" ] && [ "$(wc -l <"$work/said")" -le 3 ]
}

without_a_registry() { # words and the log's name, not twenty lines
    tree "$odd"
    # Port 9 of this machine: nobody answers there.
    setup "$1" "$2" "$odd" XDG_CACHE_HOME="$work/home/empty" PIP_INDEX_URL=http://127.0.0.1:9/ PIP_RETRIES=0 \
        UV_DEFAULT_INDEX=http://127.0.0.1:9/ UV_HTTP_RETRIES=0 PIP_CONFIG_FILE=/dev/null PIP_EXTRA_INDEX_URL=
    [ $? -eq 2 ] && grep -q 'could not be reached' "$work/said" && grep -q 'setup.log' "$work/said" &&
        [ "$(wc -l <"$work/said")" -le 6 ]
}

mapfile -t pythons < <(interpreters)
[ "${#pythons[@]}" -gt 0 ] || { echo "No Python 3.11, 3.12 or 3.13 is at hand." >&2; exit 2; }
[ -z "$quick" ] || pythons=("${pythons[0]}")
first="${pythons[0]}"
if ! command -v uv >/dev/null; then
    echo "uv is not at hand; it is fetched for this trial"
    "$first" -m venv "$work/uv" && "$work/uv/bin/python" -m pip install -q uv 2>"$work/said" ||
        { cat "$work/said" >&2; exit 2; }
    export PATH="$work/uv/bin:$PATH"
fi
[ -z "$user" ] || echo "as $user, where that user can reach the interpreter: $(
    for python in "${pythons[@]}"; do reachable "$python" && printf '%s ' "$(version "$python")"; done)"
for python in "${pythons[@]}"; do
    with="torch"
    [ "$(torch_for "$python")" = none ] && with="no torch"
    for installer in ${INSTALLERS:-pip uv}; do
        attempt "$python" "$installer" "odd path, $with" in_an_odd_path "$python" "$installer"
    done
done
for installer in ${INSTALLERS:-uv pip}; do
    attempt "$first" "$installer" "home that cannot be written" with_a_locked_home "$first" "$installer"
    attempt "$first" "$installer" "broken off, then again" after_it_was_broken_off "$first" "$installer"
    attempt "$first" "$installer" "no registry: said in words" without_a_registry "$first" "$installer"
done
attempt "$first" uv "moved, then again" after_it_was_moved "$first" uv
attempt "$first" uv "Python too old: said in words" refused_in_words "$first" uv

if [ "$failed" -eq 0 ]; then echo "all ${#rows[@]} trials ended as they should"; else
    echo "trials that failed:"
    printf '%s\n' "${rows[@]}" | grep '|failed|'
fi
exit "$failed"
