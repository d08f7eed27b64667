"""The text outputs of a chapter are what they were: pytest-notebook against a golden copy.

pytest-notebook compares; the notebook it compares with is the one that `chapterhouse run` executed.
A golden copy in tests/golden/ has the chapter's code cells with their text outputs, and nothing of
its prose or its pictures. Numbers may differ a little between processors, so a number within
tolerance of the golden one counts as that one.

After a change that is meant, write the copies anew and look at the diff:

    python -m pytest tests/chapters/test_regression.py --nb-force-regen
"""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from pytest_notebook import nb_regression as plugin
from pytest_notebook.execution import ExecuteResult

from chapterhouse import notebook as nb

GOLDEN = Path(__file__).parents[1] / "golden"
CHAPTERS = Path(__file__).parents[2] / "chapters"
WATCHED = [slug for slug in ("04_under_the_hood",) if (CHAPTERS / f"{slug}.ipynb").is_file()]
RELATIVE, ABSOLUTE = 0.05, 0.02
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]*\w)")


def text_only(executed: NotebookNode) -> NotebookNode:
    """The code cells of an executed notebook with what they printed or showed as text."""
    kept = nb.strip(executed)
    kept.cells = nb.code_cells(kept)
    for cell, ran in zip(kept.cells, nb.code_cells(executed), strict=True):
        for output in ran.outputs:
            if output.output_type == "stream" and output.name == "stdout":
                cell.outputs.append(copy.deepcopy(output))
            elif "text/plain" in output.get("data", {}):
                text = output.data["text/plain"]
                cell.outputs.append(
                    nbformat.v4.new_output("display_data", data={"text/plain": text})
                )
    return kept


def settle(new: str, old: str) -> str:
    """`new` with each number that is within tolerance of its partner in `old` replaced by it."""
    if NUMBER.sub("#", new) != NUMBER.sub("#", old):
        return new  # other words, or more numbers: all of it is a difference
    partners = iter(NUMBER.findall(old))

    def choose(match: re.Match[str]) -> str:
        partner = next(partners)
        close = math.isclose(float(match[0]), float(partner), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        return partner if close else match[0]

    return NUMBER.sub(choose, new)


def settle_notebook(new: NotebookNode, old: NotebookNode) -> NotebookNode:
    """`new` with the numbers of its outputs settled against those of `old`, cell by cell."""
    settled = copy.deepcopy(new)
    before = {cell.id: cell.outputs for cell in nb.code_cells(old)}
    for cell in settled.cells:
        for output, partner in zip(cell.outputs, before.get(cell.id, []), strict=False):
            if "text" in output and "text" in partner:
                output.text = settle(output.text, partner.text)
            elif "data" in output and "data" in partner:
                for mime in set(output.data) & set(partner.data):
                    output.data[mime] = settle(output.data[mime], partner.data[mime])
    return settled


@pytest.mark.slow
@pytest.mark.parametrize(
    "slug", [pytest.param(s, marks=pytest.mark.xdist_group(s)) for s in WATCHED]
)
def test_text_outputs_are_as_they_were(executed, nb_regression, monkeypatch, slug) -> None:
    path, _ = executed(slug)
    new = text_only(nb.read(path))
    golden = GOLDEN / f"{slug}.ipynb"
    if nb_regression.force_regen and not golden.is_file():
        nb.write(new, golden)
    assert golden.is_file(), f"{golden} is missing: write it with --nb-force-regen"

    def already_executed(notebook: NotebookNode, **settings: object) -> ExecuteResult:
        return ExecuteResult(None, settle_notebook(new, notebook), {})

    monkeypatch.setattr(plugin, "execute_notebook", already_executed)
    nb_regression.diff_use_color = False
    nb_regression.diff_ignore = ("/metadata", "/cells/*/source", "/cells/*/id")
    nb_regression.check(str(golden))


@pytest.mark.parametrize(
    ("new", "old", "left"),
    [
        ("accuracy 0.8312", "accuracy 0.8297", "accuracy 0.8297"),
        ("accuracy 0.71", "accuracy 0.83", "accuracy 0.71"),
        ("loss 123.4", "loss 125.0", "loss 125.0"),
        ("loss 1e-3", "loss 2e-3", "loss 2e-3"),
        ("-0.01 and 5", "0.01 and 5", "0.01 and 5"),
        ("4 epochs", "3 epochs", "4 epochs"),
        ("shape (64, 784)", "shape (64, 784)", "shape (64, 784)"),
        ("better 1", "worse 1", "better 1"),
        ("1 2", "1", "1 2"),
        ("float32 x1", "float64 x2", "float32 x1"),
    ],
)
def test_numbers_settle_only_when_they_are_close(new, old, left) -> None:
    assert settle(new, old) == left


def a_run(text: str) -> NotebookNode:
    cell = nbformat.v4.new_code_cell("print()", id="a", execution_count=1)
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output("stream", name="stderr", text="noise"),
        nbformat.v4.new_output("display_data", data={"image/png": "x", "text/plain": "<Figure>"}),
    ]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("prose"), cell])


def test_a_golden_copy_has_text_and_code_only() -> None:
    (cell,) = text_only(a_run("loss 0.5\n")).cells
    assert [output.output_type for output in cell.outputs] == ["stream", "display_data"]
    assert cell.outputs[0].text == "loss 0.5\n"
    assert cell.outputs[1].data == {"text/plain": "<Figure>"}


def test_another_text_is_a_difference(tmp_path, nb_regression, monkeypatch) -> None:
    golden = tmp_path / "golden.ipynb"
    nb.write(text_only(a_run("loss 0.5\n")), golden)

    def answer(text: str):
        made = text_only(a_run(text))
        return lambda notebook, **_: ExecuteResult(None, settle_notebook(made, notebook), {})

    nb_regression.diff_use_color = nb_regression.force_regen = False
    monkeypatch.setattr(plugin, "execute_notebook", answer("loss 0.501\n"))
    nb_regression.check(str(golden))
    monkeypatch.setattr(plugin, "execute_notebook", answer("loss 0.9\n"))
    with pytest.raises(plugin.NBRegressionError, match=r"loss 0\.9"):
        nb_regression.check(str(golden))
