#!/usr/bin/env bash
# Every gate, then every test. Two workers, each with one thread, suit two cores; tests that share
# something costly (an executed chapter, the built site) are grouped, so one worker pays for it.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

sh tests/site/install_browser.sh
sh tests/site/install_tools.sh
make --no-print-directory lint
# The book is what the chapter and site tests look at: execute and build it once, for all of them.
"$bin/chapterhouse" run
"$bin/chapterhouse" site --strict
# Three notebooks as another machine would run them; every commit tries others.
"$bin/chapterhouse" robust --slice
"$bin/python" -m pytest -n "${TEST_WORKERS:-2}" --dist loadgroup -q "$@"
# Alone at last: a page's speed is measured when nothing else runs.
if [ $# -eq 0 ]; then
    "$bin/python" tests/site/lighthouse.py
fi
