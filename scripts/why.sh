#!/bin/sh
# Say in words why an installation failed, from its log: why.sh LOG. Ends with exit code 2.
set -eu
LOG="$1"

has() {
    grep -qiE "$1" "$LOG"
}

say() { # what was found, and the fix
    printf 'The environment could not be made: %s\n  fix: %s\n  the whole log: %s\n' \
        "$1" "$2" "$LOG" >&2
    exit 2
}

# What the installer itself calls the error, without its colours, for causes that no line below knows.
last="$(tr -d '\033' <"$LOG" | sed 's,\[[0-9;]*m,,g' | grep -iE '^ *(error|×)' | tail -n 1 | cut -c 1-300)"

if has 'no space left on device|disk quota exceeded|os error 28'; then
    say "the disk is full." \
        "make room (an environment takes 2 GB, with a torch for CUDA 8 GB), then run the same again; TMPDIR=/a/larger/disk moves what is unpacked on the way"
elif has 'do not match the hashes|hash mismatch'; then
    say "a download is not what the lock names." \
        "run the same again without a mirror or a proxy that changes files; should it stay so, report it with the log"
elif has 'name resolution|failed to establish a new connection|connection (refused|reset|error)|timed out|network is unreachable|proxyerror|sslerror|certificate|failed to fetch|dns error|could not connect|error sending request|connection broken|incompleteread'; then
    say "the package registry could not be reached." \
        "check the connection (and HTTPS_PROXY or PIP_INDEX_URL where your network needs them), then run the same again"
elif has 'unable to execute|gcc.* failed|cc.* failed|python\.h|failed building wheel|failed to build'; then
    say "a package had to be compiled, and that failed." \
        "install a C compiler and Python's headers (sudo apt-get install gcc python3-dev, or the like), or take a Python with ready-made packages: make book PYTHON=/path/to/python3.12"
elif has 'permission denied|errno 13|os error 13'; then
    say "something could not be written by $(id -un)." \
        "give the folder to yourself: sudo chown -R $(id -un) '$(pwd)'"
elif has 'no matching distribution|no solution found|no usable wheels|no wheels with a matching|not a supported wheel'; then
    say "the registry has a package for another machine or Python only. ${last}" \
        "name another Python: make book PYTHON=/path/to/python3.11, and look whether a mirror in PIP_INDEX_URL lacks it"
elif has 'ensurepip'; then
    say "this Python comes without venv." \
        "sudo apt-get install python3-venv (or the like), or install uv"
fi
say "${last:-the installer stopped without a word.}" \
    "read the log; once mended, run the same again"
