"""Chapters and executed pages keep the house rules and their limits, and their claims hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run.plan import make_plan

CHAPTERS = Course.find(Path(__file__)).notebook_paths()  # and the book's other notebooks
MAX_CPU_S = 60.0
MAX_MEMORY_BYTES = 2 * 1024**3

# One group a chapter: its tests share a worker, and so one execution.
each_chapter = pytest.mark.parametrize(
    "path", [pytest.param(p, id=p.stem, marks=pytest.mark.xdist_group(p.stem)) for p in CHAPTERS]
)


def test_there_are_chapters() -> None:
    assert CHAPTERS


@each_chapter
def test_it_keeps_the_house_rules(path) -> None:
    assert nb.faults(nb.read(path)) == []


@each_chapter
@pytest.mark.parametrize("profile", ["fast", "full"])
def test_its_profiles_set_only_parameters_that_it_has(course, path, profile) -> None:
    assert make_plan(course, path, profile=profile).parameters


@each_chapter
def test_it_is_stored_in_the_canonical_form(path) -> None:
    assert path.read_text(encoding="utf-8") == nb.dumps(nb.strip(nb.read(path))), (
        f"run `chapterhouse notebook clean {path}`"
    )


@pytest.mark.slow
@each_chapter
def test_it_runs_and_its_claims_hold(executed, path) -> None:
    copy, run = executed(path.stem)
    assert run.claims, "a chapter backs what it says with claims"
    assert [claim.text for claim in run.claims if not claim.held] == []
    cells = nb.code_cells(nb.read(copy))
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    errors = [
        cell.id
        for cell in cells
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in nb.tags(cell)
    ]
    assert errors == []


@pytest.mark.slow
@each_chapter
def test_it_stays_within_its_limits(executed, path) -> None:
    """Processor time, not wall clock: a busy machine says nothing about a chapter."""
    _, run = executed(path.stem)
    assert run.cpu_s <= MAX_CPU_S
    assert run.peak_memory_bytes <= MAX_MEMORY_BYTES


@pytest.mark.slow
@each_chapter
def test_what_it_used_was_traced(executed, path) -> None:
    _, run = executed(path.stem)
    source = "\n".join(cell.source for cell in nb.code_cells(nb.read(path)))
    if "import sprat" in source:
        assert "lib/sprat/__init__.py" in run.libraries
    if "datasets.fetch" in source:
        assert run.data
