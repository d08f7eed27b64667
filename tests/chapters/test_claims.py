"""What the notebooks of the book claim tells how far each number is from failing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run.robust import spread, store, work
from chapterhouse.run.robust.matrix import SEEDS
from chapterhouse.site.measured import margins
from chapterhouse.site.measured.bare import bare
from chapterhouse.site.measured.bitwise import unsaid

COURSE = Course.find(Path(__file__).parent)
NOTEBOOKS = COURSE.notebook_paths()
#: Changed after their last full try. `chapterhouse robust` with their names takes them off again.
UNTRIED = frozenset(
    {
        "01_first_model",
        "21_making_things_up",
        "api_models_vision",
        "api_phases",
    }
)
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


@each_notebook
def test_each_claim_was_tried_elsewhere_and_keeps_the_rule(path: Path) -> None:
    """What is stored was made with this very code; the library may have changed since."""
    mend = f"run `chapterhouse robust {path.stem}` and commit what it stores in book/robust"
    notebook, stored = nb.read(path), store.load(COURSE, path.stem)
    if path.stem in UNTRIED:
        assert stored is None or stored.code != nb.code_sha256(notebook), "take it off UNTRIED"
        return
    assert stored is not None, f"no spread of {path.stem} is stored: {mend}"
    assert stored.code == nb.code_sha256(notebook), f"the code was changed since: {mend}"
    assert stored.errors == ()
    seeded = work.usual_seed(COURSE, path) is not None
    assert stored.cells["seeds"] == (list(range(SEEDS)) if seeded else [])
    tried = {*stored.cells["isas"], *stored.cells["alike"]}
    assert {"default", "avx2", "native"} <= tried, f"tried with {sorted(tried)} only: {mend}"
    assert {1, 2} <= set(stored.cells["threads"])
    assert stored.claims or not any("claim(" in cell.source for cell in nb.code_cells(notebook))
    for claim in stored.claims:
        assert claim.failed == (), f"{claim.text}: it failed in {claim.runs - claim.held} runs"
        assert claim.kind == "exact" or (
            claim.spread is not None and spread.keeps_away(claim.limits, claim.spread)
        ), f"{claim.text}: too near to its limit"
        assert claim.held == claim.runs > 0, claim.text


@each_notebook
def test_no_claim_is_missing_among_those_that_were_tried(path: Path) -> None:
    if path.stem in UNTRIED:
        return
    stored = store.load(COURSE, path.stem)
    assert stored is not None, f"run `chapterhouse robust {path.stem}`"
    known = {claim.text: claim.why for claim in stored.claims}
    for cell in nb.code_cells(nb.read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sp.claim", "claim"):
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    assert text.value in known, f"run `chapterhouse robust {path.stem}`"
                    if "by_construction" in {word.arg for word in node.keywords}:
                        assert known[text.value] == spread.BY_CONSTRUCTION, text.value


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
