"""True kernels in the cells of the matrix: what each computes with, and going on after a kill."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chapterhouse.course import Course
from chapterhouse.run import forkclient
from chapterhouse.run.robust import processor
from chapterhouse.run.robust.matrix import make_matrix
from chapterhouse.run.robust.sweep import Sweep, sweep
from chapterhouse.testing import make_course, make_notebook

pytestmark = pytest.mark.slow

CLAIM = """
import json, os, time
from IPython.display import display
def claim(text, value):
    limit = {"sign": ">", "number": -1, "within": 0}
    data = {"text": text, "held": value > -1, "value": value, "limits": [limit]}
    display({"application/vnd.sprat.claim+json": data}, raw=True)
"""
# What a kernel finds, as claims: a name in a text, and its value as a number.
FINDS = """
import torch
found = torch.backends.cpu.get_cpu_capability()
claim(f"torch computes with {found}", torch.get_num_threads())
claim(f"ATEN {os.environ.get('ATEN_CPU_CAPABILITY')}", int(os.environ["MKL_NUM_THREADS"]))
claim("seed", seed)
"""


def run(course: Course, seeds: range) -> tuple[Sweep, str]:
    here = processor.ask()
    matrix = make_matrix(here.capability, seeds=seeds, design="full")
    cells = {path: matrix.cells(path.stem, seeded=True) for path in course.notebook_paths()}
    screen = io.StringIO()
    done = sweep(course, cells, matrix=matrix, here=here, jobs=2, screen=screen)
    return done, screen.getvalue()


def test_each_cell_has_its_instruction_set_its_threads_and_its_seed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")  # must not reach the native cells
    course = make_course(
        tmp_path, {"01_finds": make_notebook([CLAIM, FINDS], parameters="seed = 5")}
    )
    done, screen = run(course, range(2))
    (summary,) = done.summaries
    assert not summary.errors, screen
    assert done.cells == 4 * len(summary.cells["isas"])
    best = processor.ask().capability
    claims = {claim.text: claim for claim in summary.claims}
    native = claims[f"torch computes with {best}"]
    assert {"torch computes with DEFAULT", f"torch computes with {best}"} <= set(claims)
    # What a kernel of another instruction set does not say, it has not reached.
    missed = {failed.isa for failed in native.failed if not failed.reached}
    assert "native" not in missed
    assert claims["ATEN default"].held == claims["ATEN None"].held == 4
    assert native.spread is not None
    assert (native.spread.min, native.spread.max) == (1, 2), "threads as torch counts them"
    assert claims["seed"].spread is not None
    assert (claims["seed"].spread.min, claims["seed"].spread.max) == (0, 1)
    if not forkclient.unsafe():
        assert done.notices == (), "a warmed process of two threads can be forked"


def test_killed_and_started_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    slow = make_notebook([CLAIM, "claim('seed', seed)", "time.sleep(0.2)"], parameters="seed = 1")
    course = make_course(tmp_path, {"01_slow": slow})
    command = [
        sys.executable, "-m", "chapterhouse.cli", "--course", str(tmp_path), "robust",
        "--seeds", "3", "--jobs", "1", "--design", "full",
    ]  # fmt: skip
    kept = course.build / "robust" / "cells" / "01_slow"
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while len(list(kept.glob("*.json"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0 or "too near" in again.stdout, again.stdout + again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    total = len(after)
    assert total % 6 == 0
    assert {name: after[name] for name in before} == before, "what was kept was not run again"
    assert f"{total - len(before)}/{total - len(before)} 01_slow" in again.stdout
