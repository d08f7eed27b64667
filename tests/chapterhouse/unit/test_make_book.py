"""``make book``: the site is built whatever the run said, and the exit code tells of both."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FAKE = """#!/bin/sh
echo "$1" >> {log}
case "$1" in run) exit {run};; site) exit {site};; esac
"""


@pytest.mark.parametrize(
    ("run", "site", "code", "called"),
    [
        (0, 0, 0, ["run", "site"]),
        (1, 0, 1, ["run", "site"]),
        (0, 1, 1, ["run", "site"]),
        (1, 1, 1, ["run", "site"]),
        (3, 0, 3, ["run", "site"]),
        (130, 0, 130, ["run"]),
        (143, 0, 143, ["run"]),
    ],
)
def test_the_site_is_built_unless_the_run_was_interrupted(tmp_path, run, site, code, called):
    venv, log = tmp_path / "venv", tmp_path / "log"
    (venv / "bin").mkdir(parents=True)
    program = venv / "bin/chapterhouse"
    program.write_text(FAKE.format(log=log, run=run, site=site))
    program.chmod(0o755)
    planned = subprocess.run(
        ["make", "--no-print-directory", "-n", "book", f"VENV={venv}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    recipe = planned[planned.index("failed=0;") :]  # what comes before installs
    done = subprocess.run(["sh", "-c", recipe], cwd=tmp_path, check=False)
    assert done.returncode == code
    assert log.read_text().split() == called
