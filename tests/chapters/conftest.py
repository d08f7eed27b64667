"""The course, and a function that executes one of its chapters as `chapterhouse run` does."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chapterhouse.course import Course
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import Run, executed_path

ROOT = Path(__file__).parents[2]
Executed = Callable[[str], tuple[Path, Run]]


@pytest.fixture(scope="session")
def course() -> Course:
    return Course.find(ROOT)


@pytest.fixture(scope="session")
def executed(course: Course) -> Executed:
    """slug → its executed notebook and its record.

    A kept result counts, for it was made by papermill from the very same code, library and data;
    with FRESH=1 in the environment each chapter is executed anyway.
    """
    force = os.environ.get("FRESH", "") not in ("", "0")
    done: dict[str, tuple[Path, Run]] = {}

    def execute(slug: str) -> tuple[Path, Run]:
        if slug not in done:
            screen = io.StringIO()
            report = run_course(course, [slug], jobs=1, force=force, screen=screen)
            assert not report.failed, screen.getvalue()
            record = executed_path(course, "fast", slug, ".json")
            done[slug] = executed_path(course, "fast", slug), Run.load(record)
        return done[slug]

    return execute
