#!/bin/sh
# Make the environment from the lock: with uv where there is one, with pip otherwise.
set -eu
cd "$(dirname "$0")/.."

command -v "$PYTHON" >/dev/null 2>&1 || PYTHON=python3
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer was expected, $("$PYTHON" --version) was found." >&2
    echo "  fix: install it, or name it: make book PYTHON=/path/to/python3.11" >&2
    exit 2
}

# A virtual environment that was moved or copied still points at the place it came from.
if [ -x "$VENV/bin/python" ] && ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$VENV"
fi
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"

# The environment's find-links hold builds that the registry has not, such as torch for the CPU.
# pip reads them by itself; uv has to be told.
if command -v uv >/dev/null 2>&1; then
    echo "setting up $VENV with uv"
    find_links=""
    for place in ${PIP_FIND_LINKS:-}; do find_links="$find_links --find-links $place"; done
    # Without compiled bytecode every import of torch costs a second more.
    # shellcheck disable=SC2086
    install="uv pip install --quiet --compile-bytecode --python $VENV/bin/python $find_links"
else
    echo "setting up $VENV with pip (a minute or two; it is done once)"
    install="$VENV/bin/python -m pip install -qq --disable-pip-version-check"
fi
# torch first, so that nothing that asks for a range of it brings another build.
$install "$(grep '^torch==' requirements-dev.lock)"
$install -r requirements-dev.lock
$install --no-deps --no-build-isolation -e .
