#!/usr/bin/env bash
# Run the library's tests and every notebook with another Python and torch: try_pair.sh 3.13 2.11.0
#
# The environment is made outside the tree, in a temporary folder that goes afterwards; KEEP=/folder
# makes it there and keeps it for the next time. The book is executed in a copy of the tree, so that
# its results and its site stay what they are. Only what git knows is tried.
set -euo pipefail
cd "$(dirname "$0")/.."
version="$1"
torch="$2"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
VENV="${KEEP:-$work/venv}"
python="${PYTHON:-}"
for name in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
    [ -z "$python" ] && "$name" -c '' 2>/dev/null && python="$name"
done
if [ -z "$python" ] || ! "$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')"; then
    echo "Python $version was expected, and ${python:-none} was found." >&2
    echo "  fix: install it, or name it with PYTHON=/path/to/python$version" >&2
    exit 2
fi

mkdir "$work/tree"
git ls-files -coz --exclude-standard | xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\0" "$f"; done' - |
    xargs -0 cp --parents -t "$work/tree"
cd "$work/tree"
echo "Python $version with torch $torch, in $VENV (a torch for CUDA is several gigabytes)"
VENV="$VENV" PYTHON="$python" TORCH_VERSION="$torch" SETUP_LOG="$work/setup.log" scripts/setup.sh || {
    tail -n 20 "$work/setup.log" >&2
    exit 2
}
bin="$VENV/bin"
# Another project's installation of the same tree would be tested in its place.
"$bin/python" -c "import sprat, torch, sys; print(sys.version.split()[0], torch.__version__, sprat.__file__)"

failed=""
"$bin/python" -m pytest tests/sprat -m "not slow" -q -n "${TEST_WORKERS:-2}" || failed="$failed tests"
"$bin/chapterhouse" run || failed="$failed notebooks"
if [ -n "$failed" ]; then
    echo "with Python $version and torch $torch failed:$failed" >&2
    exit 1
fi
echo "with Python $version and torch $torch the library's tests pass and every notebook runs"
