"""What the notebooks of the book claim tells how far each number is from failing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.site.measured import margins
from chapterhouse.site.measured.bare import bare
from chapterhouse.site.measured.bitwise import unsaid

NOTEBOOKS = Course.find(Path(__file__)).notebook_paths()
each_notebook = pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in NOTEBOOKS])


@each_notebook
def test_a_claim_about_a_number_has_its_limit_and_the_others_are_yes_or_no(path: Path) -> None:
    cells = [cell.source for cell in nb.code_cells(nb.read(path))]
    assert bare(cells) == [], "write claim(text, number, above=…), below=, near= or exactly="


@each_notebook
def test_no_claim_is_settled_by_what_it_is_given(path: Path) -> None:
    """A constant in place of what the run found would hold for ever."""
    for cell in nb.code_cells(nb.read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sp.claim", "claim"):
                assert not isinstance(node.args[1], ast.Constant), ast.unparse(node)


@each_notebook
def test_an_equality_to_the_last_bit_says_for_which_devices_and_threads(path: Path) -> None:
    cells = [cell.source for cell in nb.code_cells(nb.read(path))]
    assert unsaid(cells) == [], (
        'add on="cpu, any number of threads", and try it: chapterhouse robust'
    )


@pytest.mark.slow
@each_notebook
def test_a_computed_float_that_must_be_exact_says_so_too(executed, path: Path) -> None:
    """A count is a whole number; what is exactly 0.0 was computed."""
    _, run = executed(path.stem)
    for claim in run.claims:
        if any(limit["sign"] == "=" for limit in claim.limits):
            assert claim.on or isinstance(claim.value, int), claim.text


@pytest.mark.slow
@each_notebook
def test_every_number_lies_inside_the_limits_that_the_run_recorded(executed, path: Path) -> None:
    _, run = executed(path.stem)
    for claim in run.claims:
        for limit in margins.recorded({"limits": claim.limits}):
            assert claim.value is not None, claim.text
            assert limit.margin(claim.value) >= 0, claim.text
